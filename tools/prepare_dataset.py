"""Prepare one's own images with image labels: data, proposals and a config to train with."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from terminaltables import AsciiTable

from wsl_plugins_cli import spelled

if TYPE_CHECKING:
    from wsl_plugins.datasets.prepare import Plan, Prepared, Source

EXAMPLE = """examples:
  python tools/prepare_dataset.py csv labels.csv --images photos \\
      --task detector --out data/birds
  python tools/prepare_dataset.py folders photos --task localizer --out data/birds
  python tools/prepare_dataset.py coco instances.json --images photos \\
      --task detector --out data/birds --eval-boxes
  python tools/prepare_dataset.py voc VOCdevkit/VOC2007 --train trainval --test test \\
      --task detector --out data/birds --eval-boxes

docs/own_data.md describes sources and results."""
CONFIGS = Path(__file__).resolve().parents[1] / 'configs'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        '--task',
        choices=('detector', 'localizer'),
        required=True,
        help='what to train: boxes around several objects, or a heat map of one class an image',
    )
    common.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder to write to')
    common.add_argument(
        '--test-fraction',
        type=float,
        metavar='PART',
        help='part of the images that test, without --test; default: 0.2',
    )
    common.add_argument('--seed', type=int, default=0, help='of that choice; default: 0')
    common.add_argument(
        '--weights',
        default='efficientnet-lite0',
        metavar='FILE',
        help='what to start from: "efficientnet-lite0", of an installed package; path or address '
        'of a ResNet-18 (torchvision://resnet18: a download of 45 MB); or "none": a small network '
        'from scratch, for generated images; default: efficientnet-lite0',
    )
    common.add_argument(
        '--max-side-input',
        type=int,
        default=500,
        metavar='N',
        help='compute the proposals of larger images reduced to this longer side; default: 500',
    )
    common.add_argument(
        '--method',
        choices=('oicr', 'mist'),
        help='of a detector; default: MIST if boxes show three and more objects of a class in an '
        'image, else OICR',
    )
    common.add_argument(
        '--proposals',
        choices=('fast', 'default', 'best'),
        default='fast',
        help='of a detector: those of make_proposals --fast, without an option or --best, which '
        'take seven times as long; default: fast',
    )
    common.add_argument(
        '--tiles',
        type=int,
        default=1,
        metavar='N',
        help='train a detector on N x N tiles of each image, for classes that are in every image; '
        'needs --eval-boxes, of training images too: a tile is labelled by its boxes',
    )
    common.add_argument('--workers', type=int, metavar='N', help='processes; default: all cores')
    common.add_argument(
        '--force',
        action='store_true',
        help='make all again, proposals too; default: what is in DIR is kept as far as it fits',
    )
    folder = argparse.ArgumentParser(add_help=False)
    folder.add_argument(
        '--images', type=Path, required=True, metavar='DIR', help='folder that image names start at'
    )
    folder.add_argument(
        '--test-images', type=Path, metavar='DIR', help='of the images of --test; default: --images'
    )
    box_file = argparse.ArgumentParser(add_help=False)
    box_file.add_argument(
        '--eval-boxes',
        type=Path,
        metavar='FILE.json',
        help='COCO annotations of test and, if you have some, training images (file_name as in the '
        'source): for the assessment, mAP, CorLoc and --tiles; no training reads them',
    )
    own_boxes = argparse.ArgumentParser(add_help=False)
    own_boxes.add_argument(
        '--eval-boxes',
        action='store_true',
        help='keep the boxes: for the assessment, mAP, CorLoc and --tiles; no training reads them',
    )
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sources = parser.add_subparsers(dest='kind', required=True)
    csv = sources.add_parser(
        'csv',
        parents=[common, folder, box_file],
        help='columns of images and labels, or of classes',
    )
    csv.add_argument('--image-column', metavar='NAME', help='heading; default: "image" and alike')
    csv.add_argument('--label-column', metavar='NAME', help='heading; default: "label" and alike')
    csv.add_argument(
        '--label-separator',
        metavar='SIGN',
        help='between labels in a cell, or "none": a cell is one label; default: found out',
    )
    folders = sources.add_parser(
        'folders', parents=[common, box_file], help='a folder of images for each class'
    )
    coco = sources.add_parser(
        'coco', parents=[common, folder, own_boxes], help='categories of COCO annotations'
    )
    for part, what in ((csv, 'CSV file'), (folders, 'folder'), (coco, 'COCO annotations')):
        metavar = {'csv': 'FILE.csv', 'folders': 'DIR', 'coco': 'FILE.json'}[part.prog.split()[-1]]
        part.add_argument('train', type=Path, metavar=metavar, help=f'{what} of training')
        part.add_argument('--test', type=Path, metavar=metavar, help=f'{what} of the test images')
    voc = sources.add_parser('voc', parents=[common, own_boxes], help='classes of VOC annotations')
    voc.add_argument('root', type=Path, metavar='DIR', help='Annotations/, ImageSets/, JPEGImages/')
    voc.add_argument('--train', required=True, metavar='SPLIT', help='list of training images')
    voc.add_argument('--test', metavar='SPLIT', help='list of test images')
    return parser.parse_args(argv)


def read(args: argparse.Namespace) -> tuple[Source, Source | None]:
    """Training images and, with ``--test``, test images."""
    from wsl_plugins.datasets import prepare

    if args.test is not None and args.test_fraction is not None:
        raise ValueError('--test and --test-fraction exclude each other')
    if getattr(args, 'test_images', None) is not None and args.test is None:
        raise ValueError('--test-images goes with --test')
    readers = dict(
        csv=prepare.read_csv,
        folders=prepare.read_folders,
        coco=prepare.read_coco,
        voc=prepare.read_voc,
    )
    sources = []
    for split, name in (('train', args.train), ('test', args.test)):
        if name is None:
            continue
        parts = [args.root, name] if args.kind == 'voc' else [name]
        if args.kind in ('csv', 'coco'):
            parts.append((args.test_images if split == 'test' else None) or args.images)
        if args.kind in ('coco', 'voc'):
            # of training images where they are known
            needed = True if split == 'test' or args.test is None else None
            parts.append(needed if args.eval_boxes else False)
        if args.kind == 'csv':
            parts += [args.image_column, args.label_column, args.label_separator]
        sources.append(readers[args.kind](*parts))
        if sources[-1].found:
            print(sources[-1].found)
    if args.kind == 'csv':
        folders = [args.images, args.test_images or args.images][: len(sources)]
        for folder in dict.fromkeys(folders):
            own = [s for s, other in zip(sources, folders, strict=True) if other == folder]
            listed = {i.image_id for s in own for i in s.images}.union(*(s.unlabelled for s in own))
            if unlisted := prepare.count_unlisted(folder, listed):
                sources[0].left_out[f'images of {folder} without a row'] += unlisted
    if args.eval_boxes and args.kind in ('csv', 'folders'):
        objects = prepare.coco_objects(args.eval_boxes)
        for source in sources:
            prepare.attach_boxes(source, objects, needed=source is sources[-1])
    return sources[0], sources[1] if len(sources) == 2 else None


def report(plan: Plan, done: Prepared) -> None:
    """Print what was written and left out, the assessment, and what comes next."""
    rows = [[name, *counts] for name, counts in done.classes.items()]
    table = AsciiTable(
        [['class', 'training images', 'test images'], *rows, ['images', *done.images]]
    )
    table.inner_footing_row_border = True
    print(table.table)
    if plan.task == 'detector':
        parts = zip(('training', 'test'), done.without, done.images, strict=True)
        without = ', '.join(f'{n} of {number} {part} images' for part, n, number in parts)
        print(f'{done.proposals} proposals; without a proposal: {without}')
    for what, count in done.left_out.items():
        print(f'left out: {count} {what}')
    for what, count in done.noted.items():
        print(f'{count} {what}')
    own = done.assessment
    print(f'\n{own.verdict}\n{AsciiTable([own.head, *own.rows]).table}')
    for heading, lines in own.lists().items():
        for line in lines:
            print(f'{heading + ":":<8} {line}')
    print(f'all of this: {plan.out}/assessment.md, and the report of a training\n')
    print(spelled(f'train: python tools/train.py {plan.config}'))
    if done.corloc:
        print(spelled(f'CorLoc: python tools/test.py {plan.corloc_config} CHECKPOINT'))


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    # here: the processes that make proposals import this file again, and need no mmdet
    import wsl_plugins.engine.quiet_imports  # noqa: F401  (first: the hosts print when imported)
    from wsl_plugins.datasets.prepare import Plan, prepare

    try:
        plan = Plan(
            args.task,
            args.out,
            CONFIGS,
            0.2 if args.test_fraction is None else args.test_fraction,
            args.seed,
            bool(args.eval_boxes),
            args.weights,
            args.max_side_input,
            args.workers,
            args.force,
            args.tiles,
            args.method,
            args.proposals,
        )
        done = prepare(*read(args), plan, lambda line: print(line, flush=True))
    except (ValueError, OSError, RuntimeError) as error:
        print(f'prepare_dataset: error: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('stopped; the same command continues here', file=sys.stderr)
        return 130
    report(plan, done)
    return 0


if __name__ == '__main__':
    sys.exit(main())
