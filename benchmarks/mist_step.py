"""Where the time of a training step of a MIST configuration goes.

One image of random pixels and random proposals; no weights are loaded. Rows are the parts of a
step: their time for each number of proposals, and of the largest its forward and backward pass and
its share. ``rest`` is everything between the parts: mmdet's and mmengine's glue and that of the RoI
head. A part's backward pass begins when the gradient of its output is there, and ends when the
next one's begins.

Example:
    python benchmarks/mist_step.py configs/mist/mist_vgg16_voc07.py --proposals 500 1000 2000
"""

import argparse
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from common import build, make_batch, now, print_table
from mmengine.config import Config

PARTS = {  # part: whose code runs
    'normalisation of the image': 'mmdet',
    'backbone': 'torch',
    'RoI pooling': 'torchvision',
    'drop layer': 'wsl_plugins',
    'layers per proposal': 'torch',
    'MIL head, branches': 'torch',
    'samplers': 'wsl_plugins',
    'losses': 'wsl_plugins',
    'optimiser': 'torch',
    'rest': 'all',
}
FORWARD, BACKWARD = 'forward', 'backward'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Parts of a training step')
    parser.add_argument('config', nargs='?', default='configs/mist/mist_vgg16_voc07.py')
    parser.add_argument(
        '--proposals', type=int, nargs='+', default=[2000], metavar='R', help='default: 2000'
    )
    parser.add_argument('--size', nargs=2, type=int, default=(480, 640), help='height and width')
    parser.add_argument('--repeats', type=int, default=3, help='after one step of warm-up')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return parser.parse_args()


def tensors_of(output: object) -> Iterator[torch.Tensor]:
    """Tensors that a gradient will reach."""
    if isinstance(output, torch.Tensor) and output.grad_fn is not None:
        yield output
    elif isinstance(output, (tuple, list, dict)):
        for value in output.values() if isinstance(output, dict) else output:
            yield from tensors_of(value)


class Clock:
    """Seconds by (part, pass) of one step; replaces the methods of the parts by timed ones."""

    def __init__(self, model: torch.nn.Module, optimizer: object, device: str) -> None:
        self.device = device
        self.seconds: Counter = Counter()
        self.part, self.since = '', 0.0
        head = model.roi_head
        self.watch(model.data_preprocessor, 'forward', 'normalisation of the image')
        self.watch(model.backbone, 'forward', 'backbone')
        self.watch(head.bbox_roi_extractor, 'forward', 'RoI pooling')
        if head.drop_layer is not None:
            self.watch(head.drop_layer, 'forward', 'drop layer')
        self.watch(head.shared_head, 'forward', 'layers per proposal')
        for module in (head.mil_head, *head.refine_heads):
            self.watch(module, 'forward', 'MIL head, branches')
            self.watch(module, 'loss', 'losses')
        head.sampler = self.timed(head.sampler, 'samplers')
        self.watch(optimizer, 'step', 'optimiser')
        self.watch(optimizer, 'zero_grad', 'optimiser')
        optimizer.backward = self.backward(optimizer.backward)

    def watch(self, owner: object, name: str, part: str) -> None:
        setattr(owner, name, self.timed(getattr(owner, name), part))

    def timed(self, call: Callable, part: str) -> Callable:
        def run(*args, **kwargs):
            started = now(self.device)
            output = call(*args, **kwargs)
            self.seconds[part, FORWARD] += now(self.device) - started
            for tensor in tensors_of(output):
                tensor.register_hook(lambda _: self.enter(part))
            return output

        return run

    def enter(self, part: str) -> None:
        """The backward pass leaves the part where it was and begins another."""
        moment = now(self.device)
        self.seconds[self.part, BACKWARD] += moment - self.since
        self.part, self.since = part, moment

    def backward(self, call: Callable) -> Callable:
        def run(*args, **kwargs):
            self.part, self.since = 'rest', now(self.device)
            call(*args, **kwargs)
            self.enter('rest')

        return run

    def step(self, train_step: Callable[[], object]) -> Counter:
        """The seconds of a step."""
        self.seconds.clear()
        started = now(self.device)
        train_step()
        whole = now(self.device) - started
        self.seconds['rest', FORWARD] = whole - sum(self.seconds.values())
        return self.seconds.copy()


def main() -> None:
    args = parse_args()
    model, optimizer = build(Config.fromfile(args.config), args.device)
    clock = Clock(model, optimizer, args.device)
    medians = {}
    for count in args.proposals:
        batch = make_batch(*args.size, count, model.roi_head.num_classes)
        steps = [
            clock.step(partial(model.train_step, batch, optimizer)) for _ in range(args.repeats + 1)
        ][1:]
        keys = {key for step in steps for key in step}
        medians[count] = Counter(
            {key: 1000 * statistics.median(step[key] for step in steps) for key in keys}
        )
    last = medians[args.proposals[-1]]
    whole = sum(last.values())
    heading = [f'R = {count}, ms' for count in args.proposals]
    largest = f'R = {args.proposals[-1]}'
    rows = [['part', 'code', *heading, f'{largest}: forward', 'backward', 'share']]
    for part, code in PARTS.items():
        forward, backward = last[part, FORWARD], last[part, BACKWARD]
        totals = [f'{m[part, FORWARD] + m[part, BACKWARD]:.1f}' for m in medians.values()]
        share = f'{100 * (forward + backward) / whole:.2f}%'
        rows.append([part, code, *totals, f'{forward:.1f}', f'{backward:.1f}', share])
    totals = [f'{sum(m.values()):.1f}' for m in medians.values()]
    sums = [
        sum(value for key, value in last.items() if key[1] == which)
        for which in (FORWARD, BACKWARD)
    ]
    rows.append(['step', '', *totals, *(f'{value:.1f}' for value in sums), '100%'])
    print(
        f'{Path(args.config).stem}, image of {args.size[0]} x {args.size[1]} pixels on '
        f'{args.device}, {torch.get_num_threads()} threads, median of {args.repeats} steps\n'
    )
    print_table(rows)


if __name__ == '__main__':
    main()
