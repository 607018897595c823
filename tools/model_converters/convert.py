"""Bring published weights under the names of the model of a config."""

import argparse
import re
import sys

import torch
from mmengine.config import Config

import wsl_plugins
from wsl_plugins.checkpoints import (
    check_normalization,
    convert,
    fetch,
    model_shapes,
    read_checkpoint,
)
from wsl_plugins.checkpoints.layouts import LAYOUTS
from wsl_plugins.checkpoints.mapping import for_init
from wsl_plugins.config_names import find_config
from wsl_plugins.files.writing import atomic_write
from wsl_plugins.pseudo_boxes.weights import file_sha256

EXAMPLE = """example:
  python tools/model_converters/convert.py downloads/cub_vgg16_cam.pth.tar \\
      configs/wsol/cam/cam_vgg16_cub.py data/weights/cam_vgg16_cub.pth --from wsol-benchmark

docs/weights.md tells what each source needs."""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'source', metavar='SOURCE', help='file, https://..., torchvision://NAME, open-mmlab://NAME'
    )
    parser.add_argument('config', metavar='CONFIG', help='config whose model takes the weights')
    parser.add_argument('out', metavar='OUT.pth', help='checkpoint to write')
    parser.add_argument(
        '--from', dest='layout', required=True, choices=LAYOUTS, help='whose names SOURCE has'
    )
    parser.add_argument(
        '--partial', action='store_true', help='write what there is when needed weights are missing'
    )
    parser.add_argument(
        '--for-init',
        action='store_true',
        help='only backbone and shared head, without these prefixes, for '
        "init_cfg=dict(type='Pretrained', checkpoint='OUT.pth')",
    )
    args = parser.parse_args()
    if not args.out.endswith('.pth'):
        parser.error(f'OUT.pth must end in .pth, got {args.out}')
    return args


def run(args: argparse.Namespace) -> None:
    layout = LAYOUTS[args.layout]
    cfg = Config.fromfile(find_config(args.config))
    shapes = model_shapes(cfg)
    check_normalization(cfg, layout.normalization)
    path = fetch(args.source)
    checkpoint = read_checkpoint(path)
    found = convert(checkpoint.weights, shapes, layout)

    print(f'{len(found.weights)} of the {len(shapes)} weights of {args.config} found')
    for key, reason in found.unused.items():
        print(f'not used: {key} {tuple(checkpoint.weights[key].shape)}: {reason}')
    for name in checkpoint.others:
        print(f'not used: {name}: no weights of the model')
    for name in found.unfilled:
        needed = 'needed' if name in found.missing else 'not needed'
        print(f'not filled: {name} {tuple(shapes[name])}: {needed}')
    keys = '\n'.join(sorted(checkpoint.weights))
    for pattern, note in layout.notes:
        if re.search(pattern, keys):
            print(f'note: {note}')
    if found.missing and not args.partial:
        raise ValueError(
            f'{args.source}: {len(found.missing)} needed weights are missing, the first: '
            f'{found.missing[0]}; --partial writes the others'
        )

    weights = for_init(found.weights) if args.for_init else found.weights
    meta = dict(
        source=args.source,
        sha256=file_sha256(path),
        layout=args.layout,
        config=args.config,
        tool=f'wsl_plugins {wsl_plugins.__version__}',
    )
    with atomic_write(args.out) as file:
        torch.save(dict(meta=meta, state_dict=weights), file)
    print(f'{args.out}: {len(weights)} weights')


def main() -> int:
    try:
        run(parse_args())
    except (ValueError, OSError, RuntimeError) as error:
        print(f'convert: error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
