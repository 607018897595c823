"""Score a folder of score maps against the boxes or masks of a data set, without a model."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from terminaltables import AsciiTable

from wsl_plugins.evaluation.functional.box_accuracy import (
    CURVES,
    THRESHOLDS,
    box_acc,
    box_hits,
    hits_at,
    max_box_acc,
    resize_boxes,
    threshold_ious,
)
from wsl_plugins.evaluation.functional.pixel_ap import (
    pixel_ap,
    precision_recall,
    score_histograms,
)
from wsl_plugins.evaluation.functional.score_maps import resize_score_map
from wsl_plugins.files.formats.score_maps import (
    check_score_maps,
    find_score_map,
    load_score_map,
)
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata
from wsl_plugins.files.writing import atomic_write
from wsl_plugins.structures.localization_mask import read_localization_mask

SIZE = 224
EXAMPLE = """example:
  python tools/test.py CONFIG CHECKPOINT --dump-score-maps work_dirs/cam/score_maps
  python tools/eval_score_maps.py work_dirs/cam/score_maps --metadata-root data/wsol_metadata/CUB

The map of the image "a/b.jpg" is SCORE_MAPS/a/b.jpg.npy or SCORE_MAPS/a/b.npy: an array of
224 x 224 floating point numbers in [0, 1]. With boxes in the metadata MaxBoxAcc is reported, with
masks PxAP."""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('score_maps', metavar='SCORE_MAPS', help='folder of score maps (.npy)')
    parser.add_argument(
        '--metadata-root', required=True, metavar='ROOT', help='folder of the folders of the splits'
    )
    parser.add_argument('--split', default='test', help='default: test')
    parser.add_argument('--masks-root', metavar='DIR', help='folder of the masks, for mask data')
    parser.add_argument(
        '--threshold',
        type=float,
        metavar='T',
        help='report the box accuracy at this threshold in [0, 1) too, e.g. one found on '
        'train-fullsup',
    )
    parser.add_argument(
        '--curve',
        metavar='FILE.json',
        help='write box accuracies, or precision and recall, at every threshold',
    )
    parser.add_argument('--plot', metavar='FILE.png', help='draw these curves')
    parser.add_argument(
        '--resize',
        action='store_true',
        help='bring maps of other sizes to 224 x 224 (cubic) and normalise them, and those of '
        'other numbers than [0, 1], by minimum and maximum; otherwise they are an error',
    )
    args = parser.parse_args()
    if args.threshold is not None and not 0 <= args.threshold < 1:
        parser.error(f'--threshold must be in [0, 1), got {args.threshold}')
    for name, value in (('--curve', args.curve), ('--plot', args.plot)):
        suffix = '.json' if name == '--curve' else '.png'
        if value is not None and not value.endswith(suffix):
            parser.error(f'{name} must end in {suffix}, got {value}')
    return args


class Maps:
    """The maps of a folder, each (224, 224); counts those that were resized or normalised."""

    def __init__(self, folder: str, resize: bool) -> None:
        self.folder, self.resize, self.changed = folder, resize, 0

    def __getitem__(self, image_id: str) -> np.ndarray:
        try:
            score_map = load_score_map(self.folder, image_id)
        except ValueError:
            if not self.resize:
                raise
        else:
            if score_map.shape == (SIZE, SIZE):
                return score_map
            if not self.resize:
                raise ValueError(
                    f'{find_score_map(self.folder, image_id)}: score map of {score_map.shape}, not '
                    f'{(SIZE, SIZE)}; --resize brings it to this size'
                )
        self.changed += 1
        return resize_score_map(load_score_map(self.folder, image_id, raw=True), SIZE)


def score_boxes(args: argparse.Namespace, metadata: WSOLMetadata, maps: Maps) -> tuple[list, dict]:
    """Rows of the table, and the accuracies at every threshold."""
    counts, right = np.zeros((len(CURVES), len(THRESHOLDS)), np.int64), np.zeros(len(CURVES), int)
    for image_id in metadata.image_ids:
        score_map = maps[image_id]
        boxes = resize_boxes(metadata.boxes[image_id], metadata.sizes[image_id], (SIZE, SIZE))
        counts += box_hits(threshold_ious(score_map, boxes))
        if args.threshold is not None:
            right += hits_at(score_map, boxes, [args.threshold] * len(CURVES))
    curves = counts * 100.0 / len(metadata.image_ids)
    report = max_box_acc(curves)
    best = {name: f'{value:.3f}' for name, value in report.items() if name.endswith('_threshold')}
    rows = [
        [name, f'{value:.2f}', best.get(f'{name}_threshold', '')]
        for name, value in report.items()
        if not name.endswith('_threshold')
    ]
    if args.threshold is not None:
        values = box_acc(right * 100.0 / len(metadata.image_ids))
        rows += [[name, f'{value:.2f}', args.threshold] for name, value in values.items()]
    content = {'thresholds': THRESHOLDS.tolist()}
    return rows, content | dict(zip(CURVES, curves.tolist(), strict=True))


def score_masks(args: argparse.Namespace, metadata: WSOLMetadata, maps: Maps) -> tuple[list, dict]:
    """Rows of the table, and precision and recall at every threshold."""
    total = 0
    for image_id in metadata.image_ids:
        score_map = maps[image_id]
        files, ignore = metadata.masks[image_id]
        mask = read_localization_mask(
            [Path(args.masks_root, file) for file in files],
            Path(args.masks_root, ignore) if ignore else None,
            (SIZE, SIZE),
        )
        total = total + score_histograms(score_map, mask)
    precision, recall = precision_recall(total)
    content = {
        'thresholds': [*THRESHOLDS.tolist(), 1.0],
        'PxPrec': [None if np.isnan(p) else p for p in precision[:0:-1].tolist()],
        'PxRec': recall[:0:-1].tolist(),
    }
    return [['PxAP', f'{pixel_ap(total):.2f}', '']], content


def draw(path: str, content: dict) -> None:
    """Picture of the curves: accuracy over threshold, or precision over recall."""
    from matplotlib.figure import Figure

    axes = (figure := Figure(figsize=(6, 4.5), layout='constrained')).subplots()
    if 'PxRec' in content:
        axes.plot(content['PxRec'], [np.nan if p is None else p for p in content['PxPrec']])
        axes.set(xlabel='PxRec', ylabel='PxPrec', xlim=(0, 1), ylim=(0, 1.02))
    else:
        for name in CURVES:
            # version 1 dashed and on top: maps with one peak give it the curve of version 2 at 0.5
            style = dict(linestyle='--', zorder=3) if name == 'BoxAcc' else {}
            axes.plot(content['thresholds'], content[name], label=name, **style)
        axes.set(xlabel='threshold', ylabel='right images, %', xlim=(0, 1), ylim=(0, 102))
        axes.legend()
    axes.grid(alpha=0.3)
    with atomic_write(path) as file:
        figure.savefig(file, format='png', dpi=150)


def evaluate(args: argparse.Namespace) -> None:
    """Score the maps, print the table, write the files."""
    metadata = WSOLMetadata.load(args.metadata_root, args.split)
    if not metadata.boxes and not metadata.masks:
        raise ValueError(f'{metadata.folder}: localization.txt names neither boxes nor masks')
    kind = 'masks' if metadata.masks else 'boxes'
    metadata = WSOLMetadata.load(args.metadata_root, args.split, require=kind)
    if kind == 'boxes' and args.masks_root is not None:
        raise ValueError(f'--masks-root is for mask data, {metadata.folder} has boxes')
    if kind == 'masks' and args.masks_root is None:
        raise ValueError(f'{metadata.folder} has masks: --masks-root must name their folder')
    if kind == 'masks' and args.threshold is not None:
        raise ValueError(f'--threshold is for box data, {metadata.folder} has masks')
    check_score_maps(args.score_maps, metadata.image_ids)
    maps = Maps(args.score_maps, args.resize)
    rows, content = (score_masks if kind == 'masks' else score_boxes)(args, metadata, maps)
    print(f'{metadata.folder}: {len(metadata.image_ids)} images with {kind}')
    if maps.changed:
        print(f'{maps.changed} maps were brought to {SIZE} x {SIZE} and [0, 1]')
    print(AsciiTable([['measure', 'percent', 'threshold'], *rows]).table)
    if args.curve:
        with atomic_write(args.curve) as file:
            file.write(json.dumps(content).encode())
    if args.plot:
        draw(args.plot, content)


def main() -> int:
    args = parse_args()
    try:
        evaluate(args)
    except (ValueError, OSError) as error:
        print(f'eval_score_maps: error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
