"""Make metadata for weakly supervised localization from a plain download."""

import argparse
import sys
from pathlib import Path

import wsl_plugins.engine.quiet_imports  # noqa: F401  (first: the hosts print when imported)
from wsl_plugins.datasets.wsol_converters import (
    read_coco,
    read_cub,
    read_imagenet,
    read_voc,
    write_metadata_root,
)
from wsl_plugins.datasets.wsol_converters.source import MULTI_LABEL, Source

EXAMPLE = """example:
  python tools/convert_wsol_metadata.py cub data/CUB_200_2011 \\
      --out data/wsol_metadata/CUB27 --fullsup 5

writes the splits train-weaksup (image labels only), train-fullsup and test (boxes) in the published
layout; docs/wsol_data.md describes it."""


def parse_args() -> argparse.Namespace:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument('root', type=Path, help='folder of the download')
    common.add_argument(
        '--out', type=Path, required=True, metavar='DIR', help='folder of metadata to create'
    )
    common.add_argument(
        '--fullsup',
        type=int,
        default=0,
        metavar='N',
        help='hold out N training images per class as train-fullsup; default: 0, none',
    )
    common.add_argument(
        '--proxy',
        type=float,
        metavar='PART',
        help='also list this part of train-weaksup in image_ids_proxy.txt, e.g. 0.1',
    )
    common.add_argument('--seed', type=int, default=0, help='of the choices; default: 0')
    common.add_argument('--force', action='store_true', help='replace the metadata in DIR')
    lists = argparse.ArgumentParser(add_help=False)
    lists.add_argument('--train', required=True, metavar='SPLIT', help='training images')
    lists.add_argument('--test', required=True, metavar='SPLIT', help='test images')
    lists.add_argument(
        '--multi-label',
        choices=MULTI_LABEL,
        default='skip',
        help='images with several classes: leave them out, or take the class of the largest '
        'object; default: skip',
    )
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sources = parser.add_subparsers(dest='source', required=True)
    sources.add_parser('cub', parents=[common], help='CUB-200-2011')
    imagenet = sources.add_parser('imagenet', parents=[common], help='train/<wnid>, val')
    imagenet.add_argument(
        '--val-labels', type=Path, metavar='FILE', help='for a flat val: lines "image label"'
    )
    imagenet.add_argument(
        '--annotations',
        type=Path,
        metavar='DIR',
        help='folder of the XML files; default: Annotations/CLS-LOC or Annotations',
    )
    sources.add_parser('voc', parents=[common, lists], help='ImageSets/Main/SPLIT.txt')
    sources.add_parser('coco', parents=[common, lists], help='annotations/instances_SPLIT.json')
    return parser.parse_args()


def read(args: argparse.Namespace) -> Source:
    if args.source == 'cub':
        return read_cub(args.root)
    if args.source == 'imagenet':
        return read_imagenet(args.root, args.val_labels, args.annotations)
    reader = read_voc if args.source == 'voc' else read_coco
    return reader(args.root, args.train, args.test, args.multi_label)


def main() -> int:
    args = parse_args()
    try:
        source = read(args)
        counts = write_metadata_root(
            args.out, source, args.fullsup, args.proxy, args.seed, args.force
        )
    except (ValueError, OSError) as error:
        print(f'convert_wsol_metadata: error: {error}', file=sys.stderr)
        return 1
    found = ', '.join(f'{count} {split}' for split, count in counts.items())
    print(f'{args.out}: {len(source.classes)} classes; images: {found}')
    for reason, count in source.left_out.items():
        print(f'left out: {count} {reason}')
    for what, count in source.noted.items():
        print(f'{count} {what}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
