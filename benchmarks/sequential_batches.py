"""What a memory budget of sequential batches costs: time and kept memory against one call.

The per-proposal part of a detector alone (RoI extractor, C5), forward and backward pass, on random
features: in one call, with the activations of shares of the proposals kept (``SequentialBatchHook``
with ``'auto'`` and that share of the bytes of one call as its budget), and in sub-batches of which
one keeps its activations. All ways take turns in one process; a ratio is the median over the turns.
Their gradients are checked to be equal.

Example:
    python benchmarks/sequential_batches.py --proposals 96 --budgets 0.75 0.5
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from common import build, now, print_table
from mmengine.config import Config
from torch import Tensor, nn

from wsl_plugins.engine.hooks import SequentialBatchHook
from wsl_plugins.engine.memory_probe import saved_bytes


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Sequential batches with a memory budget')
    parser.add_argument('config', nargs='?', default='configs/wsddn/wsddn_r50-c4_voc07.py')
    parser.add_argument('--proposals', type=int, default=96, metavar='R', help='default: 96')
    parser.add_argument(
        '--budgets',
        type=float,
        nargs='+',
        default=[0.75, 0.5],
        metavar='SHARE',
        help='of the bytes that one call keeps, default: 0.75 0.5',
    )
    parser.add_argument(
        '--sub-batch-size', type=int, default=24, help='of the last way, default: 24'
    )
    parser.add_argument('--size', nargs=2, type=int, default=(38, 50), help='of the features')
    parser.add_argument('--repeats', type=int, default=3, help='turns, after one of warm-up')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return parser.parse_args()


def inputs(model: nn.Module, args: argparse.Namespace) -> tuple[Tensor, Tensor]:
    """Feature map, and proposals of at least 20 pixels (R, 5)."""
    extractor, (height, width) = model.roi_head.bbox_roi_extractor, args.size
    (stride,) = extractor.featmap_strides
    feats = torch.rand(1, extractor.out_channels, height, width, device=args.device)
    size = torch.tensor([width, height]) * stride
    start = torch.rand(args.proposals, 2) * (size - 20)
    end = start + 20 + torch.rand(args.proposals, 2) * (size - 20 - start)
    rois = torch.cat([torch.zeros(args.proposals, 1), start, end], dim=1)
    return feats.requires_grad_(), rois.to(args.device)


def ways(model: nn.Module, feats: Tensor, rois: Tensor, args: argparse.Namespace) -> dict:
    """Name of each way, and its function of features and proposals."""
    one_call = model.roi_head.roi_features
    kept = saved_bytes(one_call, (feats,), rois, known(model, feats))
    hooks = {
        f'budget {share:.0%}': SequentialBatchHook('auto', memory_budget=int(share * kept))
        for share in args.budgets
    }
    hooks[f'sub-batches of {args.sub_batch_size}'] = SequentialBatchHook(args.sub_batch_size)
    found = {'one call': one_call}
    for name, hook in hooks.items():
        hook.attach(model)
        found[name] = hook.method
        hook.detach()
    return found


def known(model: nn.Module, feats: Tensor) -> list[Tensor]:
    """What is in memory anyway."""
    return [feats, *model.parameters(), *model.buffers()]


def gradients(forward: Callable, model: nn.Module, feats: Tensor, rois: Tensor) -> list[Tensor]:
    """Forward and backward pass: gradients of the features and of the layers per proposal."""
    output = forward((feats,), rois)
    layers = [p for p in model.roi_head.shared_head.parameters() if p.requires_grad]
    return list(torch.autograd.grad(output, [feats, *layers], output.detach()))


def check_equal(found: list[Tensor], expected: list[Tensor], name: str) -> None:
    for mine, theirs in zip(found, expected, strict=True):
        difference = (mine - theirs).abs().max() / theirs.abs().max()
        if not difference <= 1e-3:
            raise SystemExit(f'{name}: gradients differ from those of one call by {difference:.2g}')


def ratio(times: list[float], others: list[float]) -> float:
    """The median over the turns, without the first."""
    return statistics.median(a / b for a, b in zip(times[1:], others[1:], strict=True))


def main() -> None:
    args = parse_args()
    model, _ = build(Config.fromfile(args.config), args.device)
    feats, rois = inputs(model, args)
    functions = ways(model, feats, rois, args)
    kept = {
        name: saved_bytes(function, (feats,), rois, known(model, feats))
        for name, function in functions.items()
    }
    seconds, processor = ({name: [] for name in functions} for _ in range(2))
    expected = None
    for _ in range(args.repeats + 1):
        for name, function in functions.items():
            started, used = now(args.device), time.process_time()
            found = gradients(function, model, feats, rois)
            seconds[name].append(now(args.device) - started)
            processor[name].append(time.process_time() - used)
            expected = expected or found
            check_equal(found, expected, name)
    rows = [['', 'kept MiB', 'of one call', 's', 'time ratio', 'ratio of processor time']]
    for name in functions:
        ratios = (ratio(times[name], times['one call']) for times in (seconds, processor))
        rows.append(
            [
                name,
                f'{kept[name] / 2**20:.0f}',
                f'{kept[name] / kept["one call"]:.3f}',
                f'{statistics.median(seconds[name][1:]):.2f}',
                *(f'{value:.2f}' for value in ratios),
            ]
        )
    print(
        f'{Path(args.config).stem}, {args.proposals} proposals, {args.device}, '
        f'{torch.get_num_threads()} threads, median of {args.repeats}\n'
    )
    print_table(rows)


if __name__ == '__main__':
    main()
