"""Print how many proposals files hold and how many objects they find.

With annotations also the CorLoc of choosing a random or the largest proposal in every image, and
recall and average best overlap (ABO) by size and class of the objects.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from terminaltables import AsciiTable

from wsl_plugins.files.formats.fitting_proposals import fitting_ids
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.files.formats.proposal_images import check_scale, select
from wsl_plugins.files.writing import write_json
from wsl_plugins.proposals.coverage import coverage
from wsl_plugins.proposals.figure import draw_curves
from wsl_plugins.proposals.ground_truth import Objects, coco_objects, voc_objects
from wsl_plugins.proposals.statistics import corloc_of_guesses, count_statistics

UNKNOWN = (2**30, 2**30)  # pixels: an image without a size
EXAMPLE = """example:
  python tools/proposal_stats.py proposals/selective_search_fast_train.npz \\
      --voc-root data/VOCdevkit/VOC2007 --split train
  python tools/proposal_stats.py proposals/*_val.npz --coco instances_val2017.json --plot recall.png

The curves of --plot take the boxes of a file by falling score. In files without scores their order
means nothing: the curve is the recall that boxes drawn at random have on average."""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('files', nargs='+', metavar='file', help='proposal files (.npz)')
    objects = parser.add_mutually_exclusive_group()
    objects.add_argument(
        '--voc-root', metavar='DIR', help='measure recall on VOC, e.g. VOCdevkit/VOC2007'
    )
    objects.add_argument('--coco', metavar='ANN.json', help='measure recall on COCO annotations')
    parser.add_argument(
        '--split', metavar='NAME', help='with --voc-root: list in ImageSets/Main; default: train'
    )
    parser.add_argument(
        '--use-difficult',
        action='store_true',
        help='objects marked difficult (VOC) or crowd (COCO) count, as in CorLocMetric; '
        'default: they are absent',
    )
    parser.add_argument(
        '--plot',
        metavar='FILE.png',
        help='draw recall over the number of boxes and over the overlap; needs annotations',
    )
    parser.add_argument(
        '--json',
        metavar='FILE',
        help='write the numbers to this file, too; of several files by the names of the table',
    )
    args = parser.parse_args()
    if args.split is not None and args.voc_root is None:
        parser.error('--split needs --voc-root')
    for option in ('use_difficult', 'plot'):
        if getattr(args, option) and args.voc_root is None and args.coco is None:
            parser.error(f'--{option.replace("_", "-")} needs --voc-root or --coco')
    if args.plot is not None and not args.plot.endswith('.png'):
        parser.error(f'--plot must end in .png, got {args.plot}')
    if len(set(args.files)) < len(args.files):
        parser.error(f'a file is given twice: {" ".join(args.files)}')
    return args


def named(files: list[str]) -> dict[str, str]:
    """Files by the shortest ends of their paths, without suffix, that differ."""
    parts = [Path(file).with_suffix('').parts for file in files]
    for length in range(1, max(map(len, parts))):
        names = ['/'.join(p[-length:]) for p in parts]
        if len(set(names)) == len(files):
            return dict(zip(names, files, strict=True))
    return dict(zip(files, files, strict=True))


def read_objects(args: argparse.Namespace, notes: Counter) -> dict[str, Objects] | None:
    """Objects of the annotations; None without. ``notes`` gets what was changed in them."""
    if args.voc_root is not None:
        return voc_objects(args.voc_root, args.split or 'train', args.use_difficult, notes)
    if args.coco is not None:
        return coco_objects(args.coco, args.use_difficult, notes)
    return None


def read_proposals(file: str, objects: dict[str, Objects] | None, where: str) -> ProposalFile:
    """Proposals of a file; with annotations, of the annotated images only."""
    proposals = ProposalFile.load(file)
    check_scale(proposals)
    if objects is None:
        return proposals
    proposals = select(proposals, list(objects))
    sizes = np.array([image.size or UNKNOWN for image in objects.values()])
    fitting_ids(proposals, list(objects), '', sizes, where)
    return proposals


def measure(proposals: ProposalFile, objects: dict[str, Objects] | None) -> dict:
    """All numbers; groups of objects are dicts of dicts."""
    numbers: dict = count_statistics(proposals)
    if objects is None:
        return numbers
    groups = coverage(proposals, objects)
    numbers |= groups.pop('all')['all']
    numbers['mabo'] = float(np.mean([group['abo'] for group in groups['class'].values()]))
    for guess, value in corloc_of_guesses(proposals, objects).items():
        numbers[f'corloc_{guess}'] = value
    return {**numbers, **groups}


def shown(key: str, value: float) -> str:
    """A number of the table."""
    if key.startswith(('recall', 'corloc', 'abo', 'mabo')):
        return f'{100 * value:.1f}%'
    return f'{value:.1f}' if key in ('mean', 'median') else f'{value:,.10g}'


def print_groups(kind: str, found: dict[str, dict]) -> None:
    """A table of groups of objects, with columns of each file."""
    (first, *_) = found.values()
    keys = [key for key in next(iter(first[kind].values()), {}) if key != 'objects']
    names = [f'{name}\n' if len(found) > 1 else '' for name in found]
    rows = [[kind, 'objects', *(f'{name}{key}' for name in names for key in keys)]]
    for group, numbers in first[kind].items():
        cells = [shown(key, file[kind][group][key]) for file in found.values() for key in keys]
        rows.append([group, numbers['objects'], *cells])
    print('\n' + AsciiTable(rows).table)


def main() -> int:
    args = parse_args()
    notes: Counter = Counter()
    where = args.voc_root or args.coco
    try:
        objects = read_objects(args, notes)
        names = named(args.files)
        files = {name: read_proposals(file, objects, where) for name, file in names.items()}
        if objects is not None and not any(len(image.boxes) for image in objects.values()):
            raise ValueError(f'{where}: there are no boxes in it')
        found = {name: measure(proposals, objects) for name, proposals in files.items()}
        unsized = sum(len(i.boxes) for i in (objects or {}).values() if i.size is None)
        notes.update({'objects of images of unknown size, without an image share': unsized})
        if args.plot is not None:
            draw_curves(files, {i: image.boxes for i, image in objects.items()}, args.plot)
        if args.json is not None:
            write_json(args.json, found if len(found) > 1 else next(iter(found.values())))
    except (ValueError, OSError) as error:
        print(f'proposal_stats: error: {error}', file=sys.stderr)
        return 1
    except KeyError as error:
        print(f'proposal_stats: error: {error.args[0]}', file=sys.stderr)
        return 1
    for what, count in (+notes).items():
        print(f'proposal_stats: {count} {what}', file=sys.stderr)
    widths = [max(12, len(name) + 2) for name in found]
    if len(found) > 1:
        print(' ' * 15 + ''.join(f'{n:>{w}}' for n, w in zip(found, widths, strict=True)))
    first = next(iter(found.values()))
    for key in (key for key, value in first.items() if not isinstance(value, dict)):
        cells = [shown(key, numbers[key]) for numbers in found.values()]
        print(f'{key:<15}' + ''.join(f'{c:>{w}}' for c, w in zip(cells, widths, strict=True)))
    for kind in (key for key, value in first.items() if value and isinstance(value, dict)):
        print_groups(kind, found)
    return 0


if __name__ == '__main__':
    sys.exit(main())
