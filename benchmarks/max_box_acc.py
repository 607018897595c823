"""Time of MaxBoxAcc against every threshold in turn.

The plain form computes, for each of 1,000 thresholds, the contours of the whole image and the IoU
of their boxes with the objects; versions 1 and 2 are two passes, as in the published evaluator.
Its rows ``published`` take the best IoU of each threshold's boxes as that evaluator does: at each
threshold it first takes the maxima over the objects of the boxes of **all** thresholds again. Its
rows ``plain`` take them once. Ours evaluates each level of the byte map once and gives both
versions in one pass. Results of all forms are checked to be equal on the maps that all get. All
run in one thread, in turns, so that a change of the machine's speed meets all.

The maps: smooth noise of 14 x 14 cells, blown up to squares; two objects per image.

Example:
    python benchmarks/max_box_acc.py --sizes 224 --maps 1000
"""

import argparse
import time
from collections.abc import Callable

import cv2
import numpy as np
from terminaltables import GithubFlavoredMarkdownTable

from wsl_plugins.evaluation.functional.box_accuracy import (
    THRESHOLDS,
    threshold_ious,
)
from wsl_plugins.evaluation.functional.score_maps import resize_score_map
from wsl_plugins.structures.box_iou import box_ious


def make_image(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Map (size, size) and two boxes."""
    noise = cv2.GaussianBlur(rng.random((14, 14)), (0, 0), 1.0)
    low = rng.integers(0, size // 2, (2, 2))
    sides = rng.integers(size // 11, size // 2)
    return resize_score_map(noise, size), np.concatenate([low, low + sides], axis=1)


def plain_ious(
    score_map: np.ndarray, gt_boxes: np.ndarray, every_contour: bool, published: bool
) -> np.ndarray:
    """(T,) IoU of the largest contour's box, or the best of all, at every threshold."""
    height, width = score_map.shape
    image = (score_map * 255).astype(np.uint8)
    boxes, counts = [], []
    for threshold in THRESHOLDS:
        level = int(threshold * np.max(image))
        _, mask = cv2.threshold(image, level, 255, cv2.THRESH_BINARY)
        contours = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0]
        if not every_contour and contours:
            contours = [max(contours, key=cv2.contourArea)]
        for x, y, w, h in map(cv2.boundingRect, contours):
            boxes.append((x, y, min(x + w, width - 1), min(y + h, height - 1)))
        if not contours:
            boxes.append((0, 0, 0, 0))
        counts.append(max(len(contours), 1))
    ious = box_ious(np.array(boxes), gt_boxes, plus_one=True)
    firsts = np.cumsum([0, *counts[:-1]])
    if published:
        slices = zip(firsts, counts, strict=True)
        return np.array([max(ious.max(axis=1)[first : first + n]) for first, n in slices])
    return np.maximum.reduceat(ious.max(axis=1), firsts)


def seconds(call: Callable, *args) -> tuple[float, object]:
    """Time and result of a call."""
    start = time.perf_counter()
    result = call(*args)
    return time.perf_counter() - start, result


def measure(size: int, maps: int, plain_maps: int) -> dict[str, float]:
    """Mean milliseconds per map of each form.

    Raises:
        AssertionError: the results differ.
    """
    rng = np.random.default_rng(0)
    times = {'ours, both versions': []}
    for number in range(maps):
        image = make_image(rng, size)
        spent, ours = seconds(threshold_ious, *image)
        times['ours, both versions'].append(spent)
        if number % (maps // plain_maps):
            continue
        for form in ('plain', 'published'):
            for version in (1, 2):
                spent, ious = seconds(plain_ious, *image, version == 2, form == 'published')
                times.setdefault(f'{form}, version {version}', []).append(spent)
                np.testing.assert_array_equal(ours[version - 1], ious)
    mean = {name: 1000 * float(np.mean(values)) for name, values in times.items()}
    for form in ('plain', 'published'):
        parts = (mean[f'{form}, version {version}'] for version in (1, 2))
        mean[f'{form}, both versions'] = sum(parts)
    return mean


def main() -> None:
    parser = argparse.ArgumentParser(description='Benchmark of MaxBoxAcc')
    parser.add_argument(
        '--sizes', type=int, nargs='+', default=[224], help='sides of the maps, default: 224'
    )
    parser.add_argument('--maps', type=int, default=1000, help='per size; default: 1000')
    parser.add_argument('--plain-maps', type=int, default=50, help='of these; default: 50')
    args = parser.parse_args()
    if not 1 <= args.plain_maps <= args.maps:
        parser.error('--plain-maps must be from 1 to --maps')
    cv2.setNumThreads(1)
    means = {size: measure(size, args.maps, args.plain_maps) for size in args.sizes}
    heading = [part for size in args.sizes for part in (f'{size} x {size}, ms per map', 'ratio')]
    rows = [['form', *heading]]
    for form in means[args.sizes[0]]:
        rows.append([form])
        for mean in means.values():
            ours = mean['ours, both versions']
            rows[-1] += [f'{mean[form]:.1f}', f'{mean[form] / ours:.1f}']
    print(
        f'{args.maps} maps of each size ({args.plain_maps} of them by the other forms, with equal '
        'results), 1,000 thresholds, one thread\n'
    )
    print(GithubFlavoredMarkdownTable(rows).table)


if __name__ == '__main__':
    main()
