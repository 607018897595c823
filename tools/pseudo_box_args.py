"""Arguments of ``tools/make_pseudo_boxes.py``."""

import argparse

from wsl_plugins.pseudo_boxes.imports import ENDS
from wsl_plugins.pseudo_boxes.selection import SELECTIONS

EXAMPLE = """examples:
  python tools/make_pseudo_boxes.py ddt --backbone resnet50 --weights resnet50.pth --layer layer4 \\
      --metadata-root data/wsol_metadata/CUB --split train-weaksup \\
      --data-root data/CUB_200_2011/images --stats work_dirs/ddt/stats \\
      --out work_dirs/ddt/train.json
  python tools/make_pseudo_boxes.py cam work_dirs/cam/score_maps \\
      --metadata-root data/wsol_metadata/CUB --split train-weaksup --out work_dirs/cam/train.json
  python tools/make_pseudo_boxes.py detections work_dirs/mist/train.pkl --out work_dirs/boxes.json

A run of ddt that was stopped continues when the same command is given again. In several processes:
torchrun --nproc-per-node 8 tools/make_pseudo_boxes.py ddt ..."""


def parse_args(description: str) -> argparse.Namespace:
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=description,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    _add_ddt(commands.add_parser('ddt', help='principal component of features'))
    cam = commands.add_parser('cam', help='largest component of score maps')
    cam.add_argument('source', metavar='DIR', help='folder of tools/test.py --dump-score-maps')
    cam.add_argument(
        '--threshold', type=float, metavar='T', help='in [0, 1); default: the mean of each map'
    )
    _add_connectivity(cam)
    _add_common(cam)
    _add_detections(commands.add_parser('detections', help='best detections of each image label'))
    other = commands.add_parser('import', help='boxes of other projects')
    other.add_argument('source', metavar='FILE')
    other.add_argument('--format', required=True, choices=('c2am', 'csv', 'coco'))
    other.add_argument(
        '--end', choices=ENDS, default='exclusive', help='what x1, y1 are; default: exclusive'
    )
    other.add_argument('--clip', action='store_true', help='clip boxes to their image')
    other.add_argument('--allow-missing', action='store_true', help='accept images without a box')
    _add_common(other)
    return parser.parse_args()


def _add_common(parser: argparse.ArgumentParser, required: bool = True) -> None:
    parser.add_argument('--out', required=True, metavar='FILE.json', help='file to write')
    parser.add_argument(
        '--metadata-root', required=required, metavar='DIR', help='folder of the WSOL metadata'
    )
    parser.add_argument('--split', default='train-weaksup', help='default: train-weaksup')
    parser.add_argument(
        '--classes',
        metavar='FILE',
        help='names of the classes, one a line; default: METADATA_ROOT/classes.txt if it is there',
    )


def _add_connectivity(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--connectivity',
        type=int,
        choices=(4, 8),
        default=8,
        help='which neighbours belong to a component; default: 8',
    )


def _add_ddt(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('config', nargs='?', help='config of a model of mmpretrain')
    parser.add_argument('--backbone', metavar='NAME', help='network of torchvision instead')
    parser.add_argument(
        '--weights', metavar='FILE', help='checkpoint; default: the one that the config names'
    )
    parser.add_argument(
        '--layer',
        metavar='NAME',
        help='dotted name of the layer; default with a config: backbone (its last output)',
    )
    parser.add_argument('--input-size', type=int, default=448, metavar='N', help='default: 448')
    parser.add_argument('--data-root', required=True, metavar='DIR', help='folder of the images')
    parser.add_argument('--stats', metavar='DIR', help='keep the statistics in this folder')
    parser.add_argument('--use-stats', metavar='DIR', help='use these, of --stats of another split')
    parser.add_argument(
        '--class-agnostic', action='store_true', help='one set of statistics for all classes'
    )
    _add_connectivity(parser)
    parser.add_argument(
        '--threshold',
        type=float,
        default=0.0,
        metavar='T',
        help='share of the maximum of a map above which its cells count, in [0, 1); default: 0, '
        'as published',
    )
    parser.add_argument('--batch-size', type=int, default=8, metavar='N', help='default: 8')
    parser.add_argument(
        '--workers', type=int, default=4, metavar='N', help='threads that read images; default: 4'
    )
    parser.add_argument('--device', help='default: cuda if there is one, else cpu')
    parser.add_argument(
        '--skip-broken', action='store_true', help='leave out images that cannot be read'
    )
    _add_common(parser)


def _add_detections(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'source',
        metavar='PRED',
        help='.pkl of tools/test.py --out, or .json list of COCO results (with --ann or '
        '--metadata-root)',
    )
    _add_selection(parser.add_argument_group('which boxes of an image label'))
    truth = parser.add_argument_group('print precision and recall of the boxes')
    truth.add_argument('--eval-voc', metavar='DIR', help='objects of VOC, e.g. VOCdevkit/VOC2007')
    truth.add_argument('--eval-split', metavar='NAME', help='its list; default: trainval')
    truth.add_argument('--eval-coco', metavar='ANN.json', help='objects of COCO annotations')
    truth.add_argument('--accuracy', metavar='FILE.json', help='write them into this file, too')
    parser.add_argument('--ann', metavar='FILE', help='COCO annotations of the images of a .json')
    parser.add_argument(
        '--data-root', metavar='DIR', help='folder that the ids of the images of a .pkl start from'
    )
    _add_common(parser, required=False)


def _add_selection(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        '--select',
        choices=list(SELECTIONS),
        default='top',
        help='top: the best ones; threshold: a score, and the best (SoS-WSOD); mist: the best '
        'share without overlap; adaptive: a share of the best score, without duplicates and '
        'groups (WeakSAM); default: top',
    )
    group.add_argument('--top', type=int, metavar='N', help='of top: boxes a label; default: 1')
    for name, meaning, default in (
        ('score-thr', 'of top and threshold: least score', '0 and 0.3'),
        ('top-ratio', 'of mist: share of the boxes', 0.15),
        ('ratio', 'of adaptive: share of the best score', 0.5),
        ('nms-iou-thr', 'of mist and adaptive: overlap of one object', '0.2 and 0.3'),
        ('inside', 'of adaptive: share of a box that lies in a group', 0.85),
    ):
        help_text = f'{meaning}; default: {default}'
        group.add_argument(f'--{name}', type=float, metavar='S', help=help_text)
