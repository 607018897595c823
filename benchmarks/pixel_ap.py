"""Time of PxAP per image, against a loop over its thresholds and beside reading its files.

The loop is the definition: for each of 1,001 thresholds it counts the pixels of all images above
it, and which of them are object. Ours counts the scores once, in bins. The results are checked to
be equal. One thread; reading is what a test run needs besides.

The maps: smooth noise of 14 x 14 cells, blown up to squares; the masks: PNG of 1024 x 768.

Example:
    python benchmarks/pixel_ap.py --sizes 224 --images 40
"""

import argparse
import math
import tempfile
from pathlib import Path

import cv2
import numpy as np
from max_box_acc import make_image, seconds
from terminaltables import GithubFlavoredMarkdownTable

from wsl_plugins.evaluation.functional.pixel_ap import BIN_EDGES, pixel_ap, score_histograms
from wsl_plugins.files.formats.score_maps import load_score_map, save_score_map
from wsl_plugins.structures.localization_mask import read_localization_mask


def histogram_ap(maps: list[np.ndarray], masks: list[np.ndarray]) -> float:
    pairs = zip(maps, masks, strict=True)
    return pixel_ap(sum(score_histograms(score_map, mask) for score_map, mask in pairs))


def loop_ap(maps: list[np.ndarray], masks: list[np.ndarray]) -> float:
    """Percent; equations 1 and 2 of Choe et al., CVPR 2020."""
    scores, truth = np.concatenate(maps).ravel(), np.concatenate(masks).ravel()
    objects, others = scores[truth == 1], scores[truth == 0]
    total = last = 0.0
    for threshold in BIN_EDGES[-3::-1]:
        right, wrong = (objects >= threshold).sum(), (others >= threshold).sum()
        if right + wrong:
            total += right / (right + wrong) * (right / len(objects) - last)
        last = right / len(objects)
    return 100 * total


def measure(size: int, images: int, folder: Path) -> list[float]:
    """Milliseconds per image: reading map and mask, ours, the loop."""
    rng = np.random.default_rng(0)
    times, maps, masks = np.zeros(2), [], []
    for number in range(images):
        score_map, _ = make_image(rng, size)
        save_score_map(folder, f'{size}_{number}', score_map)
        path = folder / f'{size}_{number}.png'
        cv2.imwrite(str(path), 255 * (cv2.resize(score_map, (1024, 768)) > 0.6).astype(np.uint8))
        read_map = seconds(load_score_map, folder, f'{size}_{number}')
        read_mask = seconds(read_localization_mask, [path], None, (size, size))
        times += read_map[0], read_mask[0]
        maps.append(read_map[1])
        masks.append(read_mask[1])
    own, result = seconds(histogram_ap, maps, masks)
    loop, expected = seconds(loop_ap, maps, masks)
    if not math.isclose(result, expected, abs_tol=1e-9):
        raise RuntimeError(f'the results differ: {result} and {expected}')
    return [1000 * spent / images for spent in (*times, own, loop)]


def main() -> None:
    parser = argparse.ArgumentParser(description='Benchmark of PxAP')
    parser.add_argument(
        '--sizes', type=int, nargs='+', default=[224], help='sides of the maps, default: 224'
    )
    parser.add_argument('--images', type=int, default=40, help='default: 40')
    args = parser.parse_args()
    cv2.setNumThreads(1)
    rows = [['map', 'reading the map, ms', 'reading the mask', 'PxAP, ours', 'loop', 'loop / ours']]
    with tempfile.TemporaryDirectory() as folder:
        for size in args.sizes:
            times = measure(size, args.images, Path(folder))
            row = [f'{size} x {size}', *(f'{value:.2f}' for value in times)]
            rows.append([*row, f'{times[3] / times[2]:.0f}'])
    print(f'milliseconds per image, {args.images} images, one thread, equal results\n')
    print(GithubFlavoredMarkdownTable(rows).table)


if __name__ == '__main__':
    main()
