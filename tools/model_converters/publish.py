"""Reduce a checkpoint of training to the weights that the model of a config has."""

import argparse
import sys
from pathlib import Path

import torch
from mmengine.config import Config

from wsl_plugins.checkpoints import fetch, keep_model_weights, model_shapes, read_checkpoint
from wsl_plugins.checkpoints.publish import size_by_name
from wsl_plugins.config_names import find_config
from wsl_plugins.files.writing import atomic_write

EXAMPLE = """example:
  python tools/model_converters/publish.py work_dirs/sdcn_vgg16_voc07/epoch_28.pth \\
      data/weights/sdcn_vgg16_voc07.pth --config configs/oicr/oicr_vgg16_voc07.py"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('checkpoint', metavar='IN.pth', help='checkpoint, or its address')
    parser.add_argument('out', metavar='OUT.pth', help='checkpoint to write')
    parser.add_argument(
        '--config', required=True, metavar='CONFIG', help='config whose weights are kept'
    )
    args = parser.parse_args()
    if not args.out.endswith('.pth'):
        parser.error(f'OUT.pth must end in .pth, got {args.out}')
    return args


def run(args: argparse.Namespace) -> None:
    path = fetch(args.checkpoint)
    if Path(args.out).resolve() == path.resolve():
        raise ValueError(f'{args.out}: would overwrite the checkpoint it is made from')
    checkpoint = read_checkpoint(path)
    cfg = Config.fromfile(find_config(args.config))
    shapes = model_shapes(cfg)
    try:
        kept = keep_model_weights(checkpoint.weights, shapes)
    except ValueError as error:
        raise ValueError(f'{args.checkpoint}: {error}') from error

    dropped = {name: w for name, w in checkpoint.weights.items() if name not in kept}
    for content in (dropped, checkpoint.others):
        for name, (number, megabytes) in size_by_name(content).items():
            print(f'dropped: {name}: {number} tensors, {megabytes:.1f} MB')
    meta = checkpoint.meta | dict(cfg=cfg.pretty_text)
    with atomic_write(args.out) as file:
        torch.save(dict(meta=meta, state_dict=kept), file)
    megabytes = sum(weight.nbytes for weight in kept.values()) / 1e6
    print(f'{args.out}: {len(kept)} tensors, {megabytes:.1f} MB')


def main() -> int:
    try:
        run(parse_args())
    except (ValueError, OSError, RuntimeError) as error:
        print(f'publish: error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
