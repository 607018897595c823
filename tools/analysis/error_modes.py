"""Error modes of detectors: where their boxes lie relative to the objects, per class.

As figure 6 of SDCN (ICCV 2019): a box is correct (IoU above 0.5), inside the object (a part of it),
contains it, overlaps it otherwise, or does not. By default the box of highest score of each class
that an image has an object of counts, as for CorLoc; with --score-thr every box of at least that
score does. Writes error_modes.csv and error_modes.png, with a panel for each file of results.
"""

import argparse
import csv
import io
import sys
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from terminaltables import AsciiTable

from wsl_plugins.config_options import SetOptions
from wsl_plugins.evaluation.detections_of_dataset import (
    ImageObjects,
    check_detections,
    objects_of_config,
)
from wsl_plugins.evaluation.functional.error_modes import (
    MODES,
    count_error_modes,
    mode_frequencies,
)
from wsl_plugins.files.annotated_boxes import fit_boxes
from wsl_plugins.files.formats.coco import COCOFile
from wsl_plugins.files.formats.detection_files import (
    DetectedImage,
    images_of_coco,
    read_results_json,
    read_results_pickle,
)
from wsl_plugins.files.writing import atomic_write

EXAMPLE = """examples:
  python tools/test.py configs/oicr/oicr_vgg16_voc07_corloc.py CHECKPOINT --out oicr.pkl
  python tools/analysis/error_modes.py OICR=oicr.pkl MIST=mist.pkl \\
      --config configs/oicr/oicr_vgg16_voc07_corloc.py --out work_dirs/error_modes
  python tools/analysis/error_modes.py results.bbox.json --ann instances_val2017.json --out shown

The top box of a class is missing when the detector's test_cfg cuts low scores; the _corloc configs
keep all of them."""
COLORS = ('#1f4e9c', '#5aa2d6', '#8fca8a', '#f4b860', '#d7533b')
LEGEND = ('correct', 'inside the object', 'contains the object', 'partial overlap', 'no overlap')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'results',
        nargs='+',
        metavar='[NAME=]FILE',
        help='.pkl of tools/test.py --out (with --config) or .json list of COCO results (with '
        '--ann), and the title of its panel',
    )
    truth = parser.add_mutually_exclusive_group(required=True)
    truth.add_argument('--config', help='config whose test data set has the objects of .pkl files')
    truth.add_argument('--ann', metavar='FILE', help='COCO annotations for .json files')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder to write to')
    parser.add_argument(
        '--score-thr',
        type=float,
        metavar='S',
        help='count every box of at least this score; default: the top box of each class',
    )
    parser.add_argument(
        '--use-difficult',
        action='store_true',
        help='objects marked difficult (VOC) or crowd (COCO) count; default: they are absent',
    )
    parser.add_argument(
        '--data-root', metavar='DIR', help='with --config: folder of images whose names repeat'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=SetOptions, metavar='KEY=VALUE', help='as in test.py'
    )
    return parser.parse_args(argv)


def named_results(texts: list[str]) -> dict[str, Path]:
    """Name to file of every ``NAME=FILE`` or ``FILE``."""
    files: dict[str, Path] = {}
    for text in texts:
        name, equals, rest = text.partition('=')
        if not equals or Path(text).exists():
            name, rest = Path(text).stem, text
        if name in files:
            raise ValueError(f'two results are called {name!r}: write NAME=FILE')
        files[name] = Path(rest)
    return files


def truth_of_coco(args: argparse.Namespace) -> tuple[dict[str, ImageObjects], dict[int, str]]:
    """Objects of every image of an annotation file, and the names of the categories."""
    content = COCOFile.load(args.ann)
    classes = dict(sorted(content.classes.items()))
    index = {category: number for number, category in enumerate(classes)}
    boxes, sizes, names = content.boxes()
    fitted = fit_boxes(boxes, sizes, args.ann, names.__getitem__)
    for what, count in fitted.notes.items():
        print(f'error_modes: {count} {what}', file=sys.stderr)
    inside = iter(zip(fitted.boxes.tolist(), fitted.good.tolist(), strict=True))
    truth = {}
    for image in content.images:
        rows = [
            (tuple(box), index[item.category])
            for item, (box, good) in zip(image.objects, inside)  # noqa: B905 (goes on)
            if good and (args.use_difficult or not item.crowd)
        ]
        truth[image.file_name] = ImageObjects.of(image.file_name, rows)
    return truth, classes


def read_results(
    path: Path, args: argparse.Namespace, truth: dict[str, ImageObjects], classes: list | dict
) -> dict[str, DetectedImage]:
    """Detections of every image, checked against the ground truth."""
    suffix = '.json' if args.ann else '.pkl'
    if path.suffix != suffix:
        option = '--ann' if args.ann else '--config'
        raise ValueError(f'{option} goes with results of a {suffix}, got {path}')
    if args.ann:
        found = read_results_json(path, *images_of_coco(args.ann))
        numbers = {category: number for number, category in enumerate(classes)}
        found = {
            i: image._replace(classes=np.array([numbers[c] for c in image.classes], np.int64))
            for i, image in found.items()
        }
    else:
        found = read_results_pickle(path, args.data_root, need_labels=False)
    check_detections(found, truth, len(classes), path, args.ann or args.config)
    return found


def draw(shares: dict[str, np.ndarray], classes: list[str], path: Path) -> None:
    """A panel of stacked bars for each file of results, a bar per class and one for the mean."""
    labels = [*classes, 'mean']
    x = np.arange(len(labels), dtype=float)
    x[-1] += 0.6  # apart from the classes
    figure = Figure(
        figsize=(max(9, 2 + 0.36 * len(labels)), 0.9 + 2.8 * len(shares)), layout='constrained'
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(shares), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (title, values) in zip(axes, shares.items(), strict=True):
        percent = 100 * np.nan_to_num(values)
        bottom = np.zeros(len(labels))
        for column, (name, color) in enumerate(zip(LEGEND, COLORS, strict=True)):
            axis.bar(x, percent[:, column], 0.8, bottom, color=color, label=name)
            bottom += percent[:, column]
        axis.set(title=title, ylabel='hypotheses (%)', ylim=(0, 100), xlim=(-0.7, x[-1] + 0.7))
        axis.set_xticks(x, labels, rotation=60, ha='right', rotation_mode='anchor')
    handles, texts = axes[0].get_legend_handles_labels()
    figure.legend(handles, texts, loc='outside upper center', ncols=len(MODES), frameon=False)
    with atomic_write(path) as file:
        figure.savefig(file, format='png', dpi=100)


def run(args: argparse.Namespace) -> list[list[str]]:
    """Write both files; rows of the printed table."""
    files = named_results(args.results)
    if args.ann:
        truth, classes = truth_of_coco(args)
        names = list(classes.values())
    else:
        truth, classes = objects_of_config(
            args.config, args.data_root, args.use_difficult, args.cfg_options
        )
        names = classes
    shares, lines = {}, [['results', 'class', 'hypotheses', 'without_box', *MODES]]
    table = [['mean over classes', 'hypotheses', 'without box', *MODES]]
    for name, path in files.items():
        found = read_results(path, args, truth, classes)
        counts = np.zeros((len(names), len(MODES)), np.int64)
        absent = np.zeros(len(names), np.int64)
        for image_id, image in found.items():
            objects = truth[image_id]
            parts = (image.boxes, image.scores, image.classes, objects.boxes, objects.labels)
            counts += count_error_modes(*parts, len(names), args.score_thr)
            if args.score_thr is None:
                absent[np.setdiff1d(objects.labels, image.classes)] += 1
        if not counts.any():
            raise ValueError(f'{path}: no box and no object to compare')
        shares[name] = mode_frequencies(counts)
        totals = (*counts.sum(axis=1).tolist(), int(counts.sum()))
        missing = (*absent.tolist(), int(absent.sum()))
        for row in zip([*names, 'mean'], totals, missing, shares[name], strict=True):
            percent = ['' if np.isnan(value) else f'{100 * value:.2f}' for value in row[3]]
            lines.append([name, *map(str, row[:3]), *percent])
        table.append([name, *lines[-1][2:]])
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows(lines)
    with atomic_write(args.out / 'error_modes.csv') as file:
        file.write(text.getvalue().encode())
    draw(shares, names, args.out / 'error_modes.png')
    return table


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    try:
        table = run(args)
    except (ValueError, OSError) as error:
        print(f'error_modes: error: {error}', file=sys.stderr)
        return 1
    print(AsciiTable(table).table)
    print(f'written: {args.out}/error_modes.csv, {args.out}/error_modes.png')
    return 0


if __name__ == '__main__':
    sys.exit(main())
