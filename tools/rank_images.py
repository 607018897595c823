"""Which images a person should look at first: a list, most doubtful first, with the number.

With one file of pseudo boxes the doubt of an image is the sum of 1 - score over its boxes. With
others it is how much its boxes differ from theirs, class by class, summed: boxes of a retrained
detector against those of its teacher, of another seed, or of one branch against all.

The list goes to tools/convert_boxes.py --only, alone or cut off: its first lines are the images to
correct next. Images that are marked as corrected are left out."""

import argparse
import sys

from wsl_plugins.files.formats.image_order import write_order
from wsl_plugins.files.formats.pseudo_box_file import PseudoBoxFile
from wsl_plugins.pseudo_boxes.doubt import disagreement, uncertainty

EXAMPLE = """examples:
  python tools/rank_images.py teacher.json --out doubtful.txt
  python tools/rank_images.py retrained.json teacher.json --out doubtful.txt --first 50
  python tools/convert_boxes.py retrained.json --only doubtful.txt --to label-studio --out tasks"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('boxes', help='file of pseudo boxes (tools/make_pseudo_boxes.py)')
    parser.add_argument('others', nargs='*', help='boxes of the same images to compare with')
    parser.add_argument('--out', required=True, help='list to write')
    parser.add_argument('--first', type=int, help='only so many images; default: all')
    return parser.parse_args()


def doubts_of(args: argparse.Namespace) -> tuple[dict[str, float], PseudoBoxFile]:
    """Doubt of every image that is not corrected, and the boxes."""
    if args.first is not None and args.first < 1:
        raise ValueError(f'--first must be at least 1, got {args.first}')
    pseudo = PseudoBoxFile.load(args.boxes)
    doubts: dict[str, float] = {}
    if not args.others:
        try:
            doubts = uncertainty(pseudo)
        except ValueError as error:
            raise ValueError(f'{args.boxes}: {error}') from error
    for path in args.others:
        try:
            found = disagreement(pseudo, PseudoBoxFile.load(path))
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from error
        doubts = {i: doubts.get(i, 0.0) + doubt / len(args.others) for i, doubt in found.items()}
    if not doubts:
        raise ValueError(f'{args.boxes}: all {len(pseudo.sizes)} images are corrected')
    return doubts, pseudo


def main() -> int:
    args = parse_args()
    try:
        doubts, pseudo = doubts_of(args)
        count = write_order(args.out, doubts, args.first)
    except (ValueError, OSError) as error:
        print(f'rank_images: error: {error}', file=sys.stderr)
        return 1
    print(
        f'{args.out}: {count} of {len(pseudo.sizes)} images, doubt '
        f'{max(doubts.values()):.3f} to {min(doubts.values()):.3f}'
    )
    if pseudo.corrected:
        print(f'left out: {len(pseudo.corrected)} images that are corrected')
    return 0


if __name__ == '__main__':
    sys.exit(main())
