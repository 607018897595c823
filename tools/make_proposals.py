"""Make region proposals for a set of images with OpenCV."""

import argparse
import sys

import torch

from wsl_plugins.files.images import find_images
from wsl_plugins.proposals.generate import assist, generate
from wsl_plugins.proposals.ranks import LAUNCHERS, join_processes
from wsl_plugins.proposals.recipe import METHODS, Recipe
from wsl_plugins.proposals.selective_search import MODES

EXAMPLE = """example:
  python tools/make_proposals.py data/VOCdevkit/VOC2007/JPEGImages \\
      --ids-file data/VOCdevkit/VOC2007/ImageSets/Main/trainval.txt \\
      --out data/VOCdevkit/proposals/voc2007_trainval_selective_search.npz

A run that was stopped continues when the same command is given again. The file does not depend on
the number of workers, processes and machines or on interruptions. On many machines:

  srun -n 64 -c 1 python tools/make_proposals.py ... --launcher slurm
  torchrun --nnodes 4 --nproc-per-node 1 ... tools/make_proposals.py ... --launcher pytorch"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'images',
        help='folder of images (its subfolders, too), or text file with one image path per line',
    )
    parser.add_argument('--out', required=True, metavar='FILE.npz', help='proposal file to write')
    parser.add_argument('--method', choices=sorted(METHODS), default='selective_search')
    parser.add_argument(
        '--mode',
        choices=MODES,
        help='of selective search; default: fast (quality: more boxes, slow)',
    )
    parser.add_argument(
        '--model',
        metavar='FILE',
        help='structured edge model (.yml.gz) of edge boxes; default: gradients of the colours',
    )
    parser.add_argument(
        '--max-boxes', type=int, metavar='N', help='of edge boxes, per image; default: 2000'
    )
    parser.add_argument(
        '--min-side',
        type=int,
        default=20,
        metavar='N',
        help='drop boxes narrower or lower than N pixels; default: 20',
    )
    parser.add_argument(
        '--max-side-input',
        type=int,
        metavar='N',
        help='search larger images reduced to this longer side (boxes are scaled back)',
    )
    parser.add_argument('--workers', type=int, metavar='N', help='processes; default: all cores')
    parser.add_argument(
        '--launcher',
        choices=LAUNCHERS,
        help='what started several processes, each of which makes a share: pytorch (torchrun) or '
        'slurm (srun); the images and FILE.npz are in folders that all machines share',
    )
    parser.add_argument(
        '--ids-file', metavar='FILE', help='only these images, e.g. ImageSets/Main/train.txt'
    )
    parser.add_argument(
        '--skip-broken',
        action='store_true',
        help='leave unreadable images out and list them in the file, rather than stop',
    )
    args = parser.parse_args()
    if not args.out.endswith('.npz'):
        parser.error(f'--out must end in .npz, got {args.out}')
    if args.workers is not None and args.workers < 1:
        parser.error(f'--workers must be at least 1, got {args.workers}')
    return args


def options_of(args: argparse.Namespace) -> dict:
    """Options of the chosen method; an option of the other method is an error."""
    own = {'selective_search': ('mode',), 'edge_boxes': ('model', 'max_boxes')}
    given = {k: getattr(args, k) for keys in own.values() for k in keys}
    given = {k: v for k, v in given.items() if v is not None}
    for key in given:
        if key not in own[args.method]:
            raise ValueError(f'--{key.replace("_", "-")} is no option of --method {args.method}')
    return given


def main() -> int:
    args = parse_args()
    try:
        recipe = Recipe(args.method, options_of(args), args.min_side, args.max_side_input)
        join_processes(args.launcher)
        images, hidden = find_images(args.images, args.ids_file)
        if torch.distributed.is_initialized() and torch.distributed.get_rank() > 0:
            assist(images, recipe, args.out, args.workers, args.skip_broken)
            return 0
        result = generate(images, recipe, args.out, args.workers, args.skip_broken)
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        print(f'make_proposals: error: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('stopped; the same command continues here', file=sys.stderr)
        return 130
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    meta = result.meta
    print(f'{args.out}: {meta["boxes"]} boxes of {meta["images"]} images')
    if hidden:
        print(f'left out: {hidden} hidden image files')
    if meta['images_without_boxes']:
        print(f'{meta["images_without_boxes"]} images have no box of side >= {meta["min_side"]}')
    for image_id, problem in meta['broken'].items():
        print(f'left out: {image_id}: {problem}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
