"""Images per second of proposal generation, against a plain loop over OpenCV's selective search.

Generated images of 500 pixels (``tools/make_demo_dataset.py``), mode ``fast``. The plain loop reads
an image, searches and forgets the boxes; ours also puts them in order without repeats, checks and
writes them, and its time holds the start of its processes. One thread per process.

Example:
    python benchmarks/selective_search.py --images 24 48 --processes 1 2
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
from terminaltables import GithubFlavoredMarkdownTable

from wsl_plugins.files.images import find_images
from wsl_plugins.proposals.generate import generate
from wsl_plugins.proposals.recipe import Recipe

TOOL = Path(__file__).parents[1] / 'tools' / 'make_demo_dataset.py'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Throughput of selective search')
    parser.add_argument('--images', type=int, nargs='+', default=[24, 48], help='default: 24 48')
    parser.add_argument('--processes', type=int, nargs='+', default=[1, 2], help='default: 1 2')
    parser.add_argument('--size', type=int, default=500, help='longer side, default: 500')
    return parser.parse_args()


def plain_loop(paths: list[Path]) -> None:
    search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    for path in paths:
        search.clearImages()
        search.setBaseImage(cv2.imread(str(path)))
        search.switchToSelectiveSearchFast()
        search.process()


def main() -> None:
    args = parse_args()
    cv2.setNumThreads(1)
    heading = ['images', 'plain loop, images/s']
    for count in args.processes:
        heading += [f'{count} process{"es" if count > 1 else ""}, images/s', 'ratio']
    rows = [heading]
    recipe = Recipe('selective_search', dict(mode='fast'))
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, 'data')
        numbers = dict(train=max(args.images), test=1, size=args.size)
        options = [f'--{key}={value}' for key, value in numbers.items()]
        subprocess.run([sys.executable, TOOL, data, *options], check=True, capture_output=True)
        lists = data / 'VOC2007' / 'ImageSets' / 'Main'
        images, _ = find_images(data / 'VOC2007' / 'JPEGImages', lists / 'train.txt')
        for number in args.images:
            some = dict(list(images.items())[:number])
            started = time.perf_counter()
            plain_loop(list(some.values()))
            plain = number / (time.perf_counter() - started)
            row = [str(number), f'{plain:.2f}']
            for count in args.processes:
                started = time.perf_counter()
                generate(some, recipe, Path(folder, f'{number}_{count}.npz'), count)
                rate = number / (time.perf_counter() - started)
                row += [f'{rate:.2f}', f'{rate / plain:.2f}']
            rows.append(row)
    print(f'generated images of {args.size} pixels, one thread per process\n')
    print(GithubFlavoredMarkdownTable(rows).table)


if __name__ == '__main__':
    main()
