"""Print how many proposals a file holds and how many objects they find.

With annotations also the CorLoc of choosing a random or the largest proposal in every image.
"""

import argparse
import sys
from collections import Counter

import numpy as np

from wsl_plugins.files.formats.fitting_proposals import fitting_ids
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.files.formats.proposal_images import check_scale, select
from wsl_plugins.files.writing import write_json
from wsl_plugins.proposals.ground_truth import coco_objects, voc_objects
from wsl_plugins.proposals.statistics import corloc_of_guesses, count_statistics, recall

UNKNOWN = (2**30, 2**30)  # pixels: an image without a size
EXAMPLE = """example:
  python tools/proposal_stats.py proposals/selective_search_fast_train.npz \\
      --voc-root data/VOCdevkit/VOC2007 --split train"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('file', help='proposal file (.npz)')
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
    parser.add_argument('--json', metavar='FILE', help='write the numbers to this file, too')
    args = parser.parse_args()
    if args.split is not None and args.voc_root is None:
        parser.error('--split needs --voc-root')
    if args.use_difficult and args.voc_root is None and args.coco is None:
        parser.error('--use-difficult needs --voc-root or --coco')
    return args


def measure(args: argparse.Namespace, notes: Counter) -> dict[str, float]:
    """All numbers; with annotations, of the annotated images only. ``notes`` gets what was changed
    in the annotations."""
    proposals = ProposalFile.load(args.file)
    check_scale(proposals)
    if args.voc_root is not None:
        objects = voc_objects(args.voc_root, args.split or 'train', args.use_difficult, notes)
    elif args.coco is not None:
        objects = coco_objects(args.coco, args.use_difficult, notes)
    else:
        return count_statistics(proposals)
    proposals = select(proposals, list(objects))
    sizes = np.array([image.size or UNKNOWN for image in objects.values()])
    fitting_ids(proposals, list(objects), '', sizes, args.voc_root or args.coco)
    numbers = count_statistics(proposals)
    numbers['objects'] = sum(len(image.boxes) for image in objects.values())
    boxes = {image_id: image.boxes for image_id, image in objects.items()}
    for threshold, value in recall(proposals, boxes).items():
        numbers[f'recall@{threshold}'] = value
    for guess, value in corloc_of_guesses(proposals, objects).items():
        numbers[f'corloc_{guess}'] = value
    return numbers


def main() -> int:
    args = parse_args()
    notes: Counter = Counter()
    try:
        numbers = measure(args, notes)
        if args.json is not None:
            write_json(args.json, numbers)
    except (ValueError, OSError) as error:
        print(f'proposal_stats: error: {error}', file=sys.stderr)
        return 1
    except KeyError as error:
        print(f'proposal_stats: error: {error.args[0]}', file=sys.stderr)
        return 1
    for what, count in notes.items():
        print(f'proposal_stats: {count} {what}', file=sys.stderr)
    for key, value in numbers.items():
        shown = f'{100 * value:.1f}%' if key.startswith(('recall', 'corloc')) else f'{value:,.10g}'
        shown = f'{value:.1f}' if key in ('mean', 'median') else shown
        print(f'{key:<15}{shown:>12}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
