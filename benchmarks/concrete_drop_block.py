"""Training step with Concrete DropBlock: one pass with a reversed gradient against two passes.

The same detector three ways, in turns, on one image of random pixels, without weights: without the
drop layer; with Concrete DropBlock whose gradient is reversed, so that one forward and one backward
pass serve both players (the project's default); and with both players in turns, a forward and a
backward pass each (``AlternatingFastRCNN``, as the published code does).

Example:
    python benchmarks/concrete_drop_block.py configs/mist/mist_vgg16_voc07.py --proposals 250 500
"""

import argparse
import statistics
from pathlib import Path

import torch
from common import build, make_batch, now, print_table
from mmengine.config import Config


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Concrete DropBlock in one pass and in two')
    parser.add_argument('config', nargs='?', default='configs/mist/mist_vgg16_voc07.py')
    parser.add_argument(
        '--proposals', type=int, nargs='+', default=[250, 500], metavar='R', help='default: 250 500'
    )
    parser.add_argument('--size', nargs=2, type=int, default=(320, 448), help='height and width')
    parser.add_argument('--repeats', type=int, default=3, help='after one step of warm-up')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return parser.parse_args()


def without_drop_layer(cfg: Config) -> None:
    cfg.model.roi_head.drop_layer = None


def one_pass(cfg: Config) -> None:
    """As the config has it."""


def two_passes(cfg: Config) -> None:
    player = {key: value for key, value in cfg.optim_wrapper.items() if key != 'type'}
    cfg.model.type = 'wsl_plugins.AlternatingFastRCNN'
    cfg.optim_wrapper = dict(
        constructor='wsl_plugins.PlayerOptimWrapperConstructor',
        detector=player,
        drop_layer=dict(modules=['roi_head.drop_layer'], optimizer=player['optimizer']),
    )


def main() -> None:
    args = parse_args()
    ways = {}
    for change in (without_drop_layer, one_pass, two_passes):
        cfg = Config.fromfile(args.config)
        change(cfg)
        ways[change.__name__] = build(cfg, args.device)
    rows = [['R', 'without, s', 'one pass, s', 'two passes, s', 'one / without', 'two / one']]
    for count in args.proposals:
        batch = make_batch(*args.size, count, ways['one_pass'][0].roi_head.num_classes)
        times = {name: [] for name in ways}
        for _ in range(args.repeats + 1):
            for name, (model, optimizer) in ways.items():
                started = now(args.device)
                model.train_step(batch, optimizer)
                times[name].append(now(args.device) - started)
        without, one, two = (statistics.median(own[1:]) for own in times.values())
        rows.append(
            [
                str(count),
                *(f'{value:.2f}' for value in (without, one, two)),
                f'{one / without:.2f}',
                f'{two / one:.2f}',
            ]
        )
    print(
        f'{Path(args.config).stem}, image of {args.size[0]} x {args.size[1]} pixels on '
        f'{args.device}, {torch.get_num_threads()} threads, median of {args.repeats} steps\n'
    )
    print_table(rows)


if __name__ == '__main__':
    main()
