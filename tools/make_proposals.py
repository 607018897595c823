"""Make region proposals for a set of images."""

import argparse
import sys

import torch

from wsl_plugins.files.images import find_images
from wsl_plugins.proposals.generate import assist, generate
from wsl_plugins.proposals.ranks import LAUNCHERS, join_processes
from wsl_plugins.proposals.recipe import BEST, DEFAULT, FAST, METHODS, Recipe, option_names
from wsl_plugins.proposals.selective_search import MODES

OPTIONS = (
    'mode',
    'model',
    'kvals',
    'min_size',
    'max_merging_iterations',
    'max_boxes',
    'join_iou',
    'config',
    'checkpoint',
    'device',
    'min_iou',
    'min_stability',
)
EXAMPLE = """examples:
  python tools/make_proposals.py photos --out photos.npz
  python tools/make_proposals.py data/VOCdevkit/VOC2007/JPEGImages \\
      --ids-file data/VOCdevkit/VOC2007/ImageSets/Main/trainval.txt \\
      --method selective_search --min-side 20 \\
      --out data/VOCdevkit/proposals/voc2007_trainval_selective_search.npz
  python tools/make_proposals.py photos --out rpn.npz --method detector \\
      --config rpn_r50_fpn_1x_coco.py --checkpoint rpn_r50_fpn_1x_coco.pth
  python tools/make_proposals.py photos --out sam.npz --method sam --checkpoint sam-vit-base

A run that was stopped continues when the same command is given again. The file does not depend on
the number of workers, processes and machines or on interruptions. On many machines:

  srun -n 64 -c 1 python tools/make_proposals.py ... --launcher slurm
  torchrun --nnodes 4 --nproc-per-node 1 ... tools/make_proposals.py ... --launcher pytorch"""


def number(text: str) -> float:
    """A whole number stays one in the file."""
    value = float(text)
    return int(value) if value.is_integer() else value


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'images',
        help='folder of images (its subfolders, too), or text file with one image path per line',
    )
    parser.add_argument('--out', required=True, metavar='FILE.npz', help='proposal file to write')
    recipe = parser.add_mutually_exclusive_group()
    recipe.add_argument(
        '--method',
        metavar='NAME[+NAME...]',
        help=f'{", ".join(METHODS)}, or several of them joined; default: {DEFAULT.method}',
    )
    recipe.add_argument(
        '--fast',
        action='store_const',
        const=FAST,
        help=f'{FAST.method}, {FAST.options["max_boxes"]} boxes: a fifth of the time',
    )
    recipe.add_argument(
        '--best',
        action='store_const',
        const=BEST,
        help=f'{BEST.method}, {BEST.options["max_boxes"]} boxes',
    )
    parser.add_argument(
        '--mode',
        choices=MODES,
        help='of selective search; default: fast (quality: more boxes, slow)',
    )
    parser.add_argument(
        '--edges',
        '--model',
        dest='model',
        metavar='FILE',
        help='structured edge model (.yml.gz) of edge boxes; default: gradients of the colours',
    )
    parser.add_argument(
        '--kvals',
        type=number,
        nargs=3,
        metavar=('FIRST', 'LAST', 'NUMBER'),
        help='of dlib: scales of segmentation; default: 50 200 3',
    )
    parser.add_argument(
        '--min-size',
        type=number,
        metavar='N',
        help='of dlib: least segment, pixels or, below 1, a share of the image; default: 0.002',
    )
    parser.add_argument(
        '--max-merging-iterations',
        type=int,
        metavar='N',
        help='of dlib: rounds in which neighbours are joined; default: 50',
    )
    parser.add_argument(
        '--max-boxes',
        type=int,
        metavar='N',
        help='of edge boxes, and of joined methods together, per image; default: 2000, joined 1500',
    )
    parser.add_argument(
        '--join-iou',
        type=float,
        metavar='IOU',
        help='of joined methods: a box that overlaps an earlier one by more is left out; '
        'default: 0.9',
    )
    parser.add_argument('--config', metavar='FILE', help='of the detector (mmdet)')
    parser.add_argument(
        '--checkpoint',
        metavar='FILE',
        help='weights of the detector; of SAM a folder as transformers saves it, or its weights',
    )
    parser.add_argument(
        '--device', help='of detector and SAM: cpu, cuda:1, ...; default: a GPU, else cpu'
    )
    parser.add_argument(
        '--min-iou', type=float, metavar='X', help='of SAM: least predicted IoU; default: 0.88'
    )
    parser.add_argument('--min-stability', type=float, metavar='X', help='of SAM; default: 0.95')
    parser.add_argument(
        '--min-side',
        type=number,
        default=DEFAULT.min_side,
        metavar='N',
        help='drop boxes narrower or lower than N pixels or, below 1, than this share of the '
        f"image's shorter side; default: {DEFAULT.min_side}",
    )
    parser.add_argument(
        '--max-side-input',
        type=int,
        metavar='N',
        help='search larger images reduced to this longer side (boxes are scaled back)',
    )
    parser.add_argument(
        '--workers', type=int, metavar='N', help='processes; default: all cores, with a GPU 1'
    )
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


def recipe_of(args: argparse.Namespace) -> Recipe:
    """The recipe asked for; an option of another method is an error."""
    base = args.fast or args.best or DEFAULT
    method, options = (args.method, {}) if args.method else (base.method, base.options)
    given = {name: getattr(args, name) for name in OPTIONS if getattr(args, name) is not None}
    for name in given.keys() - set(option_names(method)):
        shown = {'model': 'edges'}.get(name, name).replace('_', '-')
        raise ValueError(f'--{shown} is no option of --method {method}')
    return Recipe(method, {**options, **given}, args.min_side, args.max_side_input)


def side(recipe: Recipe) -> str:
    """Least side of a box in words."""
    least = recipe.min_side
    return f'{least:g}' if least >= 1 else f"{100 * least:g}% of the image's shorter side"


def main() -> int:
    args = parse_args()
    try:
        recipe = recipe_of(args)
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
        print(f'{meta["images_without_boxes"]} images have no box of side >= {side(recipe)}')
    for image_id, problem in meta['broken'].items():
        print(f'left out: {image_id}: {problem}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
