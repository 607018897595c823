"""Time of the samplers, and of MISTSampler against a plain loop, for one image.

The loop form, per class: sort the scores, take the candidates, their pairwise IoU once, then one
step per candidate; every proposal goes to the pseudo box of highest IoU. Its row ``kept`` selects
as the paper's algorithm 1, its row ``all`` as the published code. Both sides use one thread, the
IoU of the loop form is mmdet's, and both encode the boxes. The selections are checked to be equal,
for ``all`` the pseudo labels too.

The image: 500 x 375 pixels; 70 % of the proposals are jittered copies (normal, 15 % of the sides)
of 40 objects, the others are random; each positive class scores proposals by their IoU with its
own 3 objects, plus uniform noise up to 0.5.

Example:
    python benchmarks/pseudo_label_samplers.py --device cpu
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from terminaltables import GithubFlavoredMarkdownTable
from torch import Tensor

from wsl_plugins.models.pseudo_labels import MISTSampler, OICRSampler, PCLSampler

from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder
from mmdet.structures.bbox import bbox_overlaps

TAU, WIDTH, HEIGHT, OBJECTS, CLASSES = 0.2, 500.0, 375.0, 40, 20
POSITIVE = [2, 8, 14]
CODER = DeltaXYWHBBoxCoder(target_stds=(0.1, 0.1, 0.2, 0.2))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Benchmark of the pseudo-label samplers')
    parser.add_argument('--device', default='cpu', help='default: cpu')
    parser.add_argument(
        '--proposals', type=int, nargs='+', default=[2000], metavar='R', help='default: 2000'
    )
    parser.add_argument('--top-ratio', type=float, default=0.15, help='p, default: 0.15')
    parser.add_argument('--repeats', type=int, default=100, help='in blocks of 20; default: 100')
    return parser.parse_args()


def proper(corners: Tensor) -> Tensor:
    """Boxes of at least 20 px from any two corners (n, 4), inside the image, whole pixels."""
    low = torch.minimum(corners[:, :2], corners[:, 2:])
    high = torch.maximum(torch.maximum(corners[:, :2], corners[:, 2:]), low + 20)
    limit = torch.tensor([WIDTH, HEIGHT])
    low, high = low.clamp(min=0), torch.minimum(high, limit)
    return torch.cat([torch.minimum(low, high - 20), high], dim=1).round()


def make_image(num: int) -> tuple[Tensor, Tensor, Tensor]:
    """Proposals (R, 4), scores (R, C) and image labels (C,)."""
    size = torch.tensor([WIDTH, HEIGHT] * 2)
    objects = proper(torch.rand(OBJECTS, 4) * size)
    copies = objects[torch.randint(0, OBJECTS, (int(0.7 * num),))]
    sides = (copies[:, 2:] - copies[:, :2]).repeat(1, 2)
    copies = proper(copies + 0.15 * sides * torch.randn(len(copies), 4))
    boxes = torch.cat([copies, proper(torch.rand(num - len(copies), 4) * size)])
    boxes = boxes[torch.randperm(num)]
    scores, labels = 0.5 * torch.rand(num, CLASSES), torch.zeros(CLASSES, dtype=torch.long)
    labels[POSITIVE] = 1
    for index, label in enumerate(POSITIVE):
        own = objects[3 * index : 3 * index + 3]
        scores[:, label] += bbox_overlaps(boxes, own).max(dim=1).values
    return boxes, scores / 1.5, labels


def loop_pick(boxes: Tensor, scores: Tensor, top_ratio: float, suppress_by: str) -> list[Tensor]:
    """Per positive class, the proposals picked; one step per candidate."""
    count = max(1, math.floor(top_ratio * len(boxes)))
    picked = []
    for label in POSITIVE:
        candidates = scores[:, label].sort(descending=True, stable=True).indices[:count]
        close = bbox_overlaps(boxes[candidates], boxes[candidates]) >= TAU
        kept = torch.zeros(count, dtype=torch.bool, device=boxes.device)
        for i in range(count):
            rivals = close[i] & kept if suppress_by == 'kept' else close[i, :i]
            if not rivals.any():
                kept[i] = True
        picked.append(candidates[kept])
    return picked


def loop_sampler(
    boxes: Tensor, scores: Tensor, top_ratio: float, suppress_by: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Labels, weights and box targets of all proposals."""
    picked = loop_pick(boxes, scores, top_ratio, suppress_by)
    classes = [torch.full_like(p, c) for p, c in zip(picked, POSITIVE, strict=True)]
    picked, classes = torch.cat(picked), torch.cat(classes)
    best, match = bbox_overlaps(boxes, boxes[picked]).max(dim=1)
    labels = torch.where(best >= 0.5, classes[match], CLASSES)
    weights = scores[picked, classes][match]
    return labels, weights, CODER.encode(boxes, boxes[picked][match])


def median_ms(calls: Sequence[Callable], device: str, repeats: int) -> list[float]:
    """Median time of each call. The calls take turns in blocks of 20, each after 3 calls to warm
    up, so that a change of the machine's speed meets them all."""
    times = [[] for _ in calls]
    for _ in range(math.ceil(repeats / 20)):
        for call, own in zip(calls, times, strict=True):
            for i in range(23):
                if device.startswith('cuda'):
                    torch.cuda.synchronize()
                start = time.perf_counter()
                call()
                if device.startswith('cuda'):
                    torch.cuda.synchronize()
                if i >= 3:
                    own.append(1000 * (time.perf_counter() - start))
    return [statistics.median(own) for own in times]


def against_loop(
    bag: tuple[Tensor, Tensor, Tensor], clock: Callable, top_ratio: float
) -> list[list[str]]:
    """Rows of both forms: selection and whole, each with the loop's time, ours and the ratio.

    Raises:
        RuntimeError: the selections or the pseudo labels differ.
    """
    boxes, scores, _ = bag
    rows = []
    for suppress_by, conflict in (('kept', 'score'), ('all', 'iou')):
        loop_args = boxes, scores, top_ratio, suppress_by
        sampler = MISTSampler(top_ratio, TAU, suppress_by=suppress_by, conflict=conflict)

        def whole(sampler: MISTSampler = sampler) -> tuple[Tensor, Tensor, Tensor]:
            targets = sampler(*bag)
            return targets.labels, targets.weights, CODER.encode(boxes, targets.matched_boxes)

        picked = torch.cat(loop_pick(*loop_args))
        if not torch.equal(picked, sampler.pick(boxes, scores, POSITIVE)[0]):
            raise RuntimeError(f'the selections differ ({suppress_by})')
        if suppress_by == 'all':
            pairs = zip(loop_sampler(*loop_args), whole(), strict=True)
            if not all(torch.equal(a, b) for a, b in pairs):
                raise RuntimeError('the pseudo labels differ')
        row = [str(len(boxes)), suppress_by, str(len(picked))]
        for loop, ours in (
            (partial(loop_pick, *loop_args), partial(sampler.pick, boxes, scores, POSITIVE)),
            (partial(loop_sampler, *loop_args), whole),
        ):
            times = clock(loop, ours)
            row += [*(f'{value:.2f}' for value in times), f'{times[0] / times[1]:.1f}']
        rows.append(row)
    return rows


@torch.no_grad()
def main() -> None:
    args = parse_args()
    torch.set_num_threads(1)
    parts = ('selection: loop', 'ours', 'ratio', 'whole: loop', 'ours', 'ratio')
    rows = [['R', 'suppress_by', 'boxes', *parts]]
    samplers = OICRSampler(), PCLSampler(), MISTSampler(args.top_ratio, TAU)
    calls = [['R', *(type(sampler).__name__ for sampler in samplers)]]
    clock = partial(median_ms, device=args.device, repeats=args.repeats)
    for count in args.proposals:
        torch.manual_seed(0)
        bag = tuple(tensor.to(args.device) for tensor in make_image(count))
        rows += against_loop(bag, lambda *calls: clock(calls), args.top_ratio)
        times = clock([partial(sampler, *bag) for sampler in samplers])
        calls.append([str(count), *(f'{value:.2f}' for value in times)])
    print(
        f'milliseconds on {args.device}, one thread, {CLASSES} classes, {len(POSITIVE)} of them '
        f'positive, p = {args.top_ratio}; `whole` is selection, assignment and box targets\n'
    )
    print(GithubFlavoredMarkdownTable(rows).table)
    print('\nOne call, without box targets:\n')
    print(GithubFlavoredMarkdownTable(calls).table)


if __name__ == '__main__':
    main()
