"""Workload of ``scale.py``: the report of a folder with many small pictures."""

import argparse
import json
import resource
import shutil
import sys
import time
from pathlib import Path

from PIL import Image

import wsl_plugins  # noqa: F401  (first: puts the stand-in for mmcv's compiled ops in place)
from wsl_plugins.visualization.report import write_report


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', type=int, default=10_000, help='default: 10000')
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument('--make', type=Path, metavar='DIR', help='write the pictures')
    group.add_argument('--run', type=Path, metavar='DIR', help='make the report')
    return parser.parse_args()


def make(folder: Path, images: int) -> None:
    """A run with a metric, and pictures of 32 pixels in one folder."""
    log = folder / '20260102_030405' / '20260102_030405.json'
    log.parent.mkdir(parents=True)
    log.write_text('{"pascal_voc/mAP": 0.5}')
    pictures = folder / 'pictures'
    pictures.mkdir()
    Image.new('RGB', (32, 32), 'white').save(pictures / '0.png')
    for number in range(1, images):
        shutil.copyfile(pictures / '0.png', pictures / f'{number}.png')


def peak_mib() -> float:
    """The most memory that this process had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(folder: Path) -> dict[str, float]:
    """Seconds, the most memory that the process had, and what of it came after the imports."""
    before, start = peak_mib(), time.perf_counter()
    path, notes = write_report(folder)
    seconds = time.perf_counter() - start
    if f'12 of {len(list((folder / "pictures").iterdir()))}' not in path.read_text():
        sys.exit(f'the report does not show the pictures: {notes}')
    peak = peak_mib()
    return dict(seconds=seconds, resident_mib=peak, added_mib=peak - before)


def main() -> None:
    args = parse_args()
    if args.make:
        make(args.make, args.images)
    else:
        print(json.dumps(run(args.run)))


if __name__ == '__main__':
    main()
