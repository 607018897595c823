"""Time of MaxBoxAcc against every threshold in turn, and of PxAP against reading its files.

The plain form computes, for each of 1,000 thresholds, the contours of the whole image and the IoU
of their boxes with the objects; versions 1 and 2 are two passes, as in the published evaluator.
Its row ``published`` takes the best IoU of each threshold's boxes as that evaluator does: at each
threshold it first takes the maxima over the objects of the boxes of **all** thresholds again. Its
row ``plain`` takes them once. Ours evaluates each level of the byte map once and gives both
versions in one pass. Results of all forms are checked to be equal on the maps that all get. All
run in one thread, in turns, so that a change of the machine's speed meets all.

The maps: smooth noise of 14 x 14 cells, blown up to 224 x 224; two objects per image. The masks of
PxAP: PNG of 1024 x 768, one per image.

Example:
    python benchmarks/max_box_acc.py --maps 1000
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from wsl_plugins.evaluation.functional.box_accuracy import (
    THRESHOLDS,
    inclusive_iou,
    threshold_ious,
)
from wsl_plugins.evaluation.functional.pixel_ap import score_histograms
from wsl_plugins.evaluation.functional.score_maps import (
    load_score_map,
    resize_score_map,
    save_score_map,
)
from wsl_plugins.structures.localization_mask import read_localization_mask

SIZE = 224


def make_image(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Map (224, 224) and two boxes."""
    noise = cv2.GaussianBlur(rng.random((14, 14)), (0, 0), 1.0)
    low = rng.integers(0, SIZE // 2, (2, 2))
    return resize_score_map(noise, SIZE), np.concatenate([low, low + rng.integers(20, 112)], axis=1)


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
    ious = inclusive_iou(np.array(boxes), gt_boxes)
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


def compare_boxes(maps: int, plain_maps: int) -> None:
    """Print the times per map of both forms and their ratios."""
    rng = np.random.default_rng(0)
    times = {'ours': []}
    for number in range(maps):
        image = make_image(rng)
        spent, ours = seconds(threshold_ious, *image)
        times['ours'].append(spent)
        if number % (maps // plain_maps):
            continue
        for form in ('plain', 'published'):
            for version in (1, 2):
                spent, ious = seconds(plain_ious, *image, version == 2, form == 'published')
                times.setdefault(f'{form}, version {version}', []).append(spent)
                np.testing.assert_array_equal(ours[version - 1], ious)
    mean = {name: 1000 * np.mean(values) for name, values in times.items()}
    print(f'ours, both versions: {mean["ours"]:.1f} ms per map, {maps} maps')
    for form in ('plain', 'published'):
        first, second = (mean[f'{form}, version {version}'] for version in (1, 2))
        for name, value in (('1', first), ('2', second), ('1 and 2', first + second)):
            print(f'{form}, version {name}: {value:.1f} ms: {value / mean["ours"]:.1f} x')
    print(f'equal results on {len(times["plain, version 1"])} maps')


def compare_pixels(maps: int, folder: Path) -> None:
    """Print the times per image of reading a map, reading a mask and counting the scores."""
    rng = np.random.default_rng(0)
    times = {'map': 0.0, 'mask': 0.0, 'histograms': 0.0}
    for number in range(maps):
        score_map, _ = make_image(rng)
        save_score_map(folder, str(number), score_map)
        mask = 255 * (cv2.resize(score_map, (1024, 768)) > 0.6).astype(np.uint8)
        cv2.imwrite(str(folder / f'{number}.png'), mask)
    for number in range(maps):
        spent, score_map = seconds(load_score_map, folder, str(number))
        times['map'] += spent
        files = [folder / f'{number}.png']
        spent, mask = seconds(read_localization_mask, files, None, (SIZE, SIZE))
        times['mask'] += spent
        times['histograms'] += seconds(score_histograms, score_map, mask)[0]
    parts = ', '.join(f'{name} {1000 * value / maps:.2f} ms' for name, value in times.items())
    print(f'PxAP, {maps} images: {parts}')


def main() -> None:
    parser = argparse.ArgumentParser(description='Benchmark of MaxBoxAcc and PxAP')
    parser.add_argument('--maps', type=int, default=1000, help='default: 1000')
    parser.add_argument('--plain-maps', type=int, default=50, help='of these; default: 50')
    args = parser.parse_args()
    if not 1 <= args.plain_maps <= args.maps:
        parser.error('--plain-maps must be from 1 to --maps')
    cv2.setNumThreads(1)
    compare_boxes(args.maps, args.plain_maps)
    with tempfile.TemporaryDirectory() as folder:
        compare_pixels(min(args.maps, 100), Path(folder))


if __name__ == '__main__':
    main()
