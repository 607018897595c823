"""Workload of ``scale.py``: PSOL on ImageNet, until the first sample.

Metadata and pseudo boxes of ``--images`` images in the published formats, one image file that all
samples read in turn; then the training data set as ``psol_imagenet.py`` has it.
"""

import argparse
import json
import random
import resource
import time
from pathlib import Path

import cv2
import numpy as np

import wsl_plugins  # noqa: F401  (first: puts the stand-in for mmcv's compiled ops in place)
from wsl_plugins.registry import DATASETS

from mmpretrain.utils import register_all_modules

CLASSES = 1000
SIZE = (500, 375)  # width, height: what most images of ImageNet have


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', type=int, default=100_000, help='default: 100000')
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument('--make', type=Path, metavar='DIR', help='write the files')
    group.add_argument('--run', type=Path, metavar='DIR', help='build the data set, take a sample')
    return parser.parse_args()


def make(folder: Path, images: int) -> None:
    """Files of the published formats, in the order of the published lists."""
    random.seed(0)
    split = folder / 'metadata' / 'train-weaksup'
    split.mkdir(parents=True)
    labels = sorted(random.choices(range(CLASSES), k=images))
    ids = [f'train/n{label:08}/n{label:08}_{k}.JPEG' for k, label in enumerate(labels)]
    width, height = SIZE
    lines = dict(
        image_ids=ids,
        class_labels=[f'{i},{label}' for i, label in zip(ids, labels, strict=True)],
        image_sizes=[f'{i},{width},{height}' for i in ids],
    )
    for name, rows in lines.items():
        (split / f'{name}.txt').write_text('\n'.join(rows) + '\n')
    rows, boxes = [], []
    for number, (image_id, label) in enumerate(zip(ids, labels, strict=True), 1):
        x, y = random.randrange(width // 2), random.randrange(height // 2)
        w, h = random.randint(1, width - x), random.randint(1, height - y)
        row = dict(id=number, image_id=number, category_id=label)
        boxes.append(dict(row, bbox=[x + 0.0, y, w, h], area=w * h, iscrowd=0))
        rows.append(dict(id=number, file_name=image_id, width=width, height=height))
    categories = [dict(id=label, name=f'n{label:08}') for label in range(CLASSES)]
    content = dict(info={}, images=rows, annotations=boxes, categories=categories)
    (folder / 'boxes.json').write_text(json.dumps(content))
    path = folder / 'images' / ids[0]
    path.parent.mkdir(parents=True)
    cv2.imwrite(str(path), np.full((height, width, 3), 128, np.uint8))


def peak_mib() -> float:
    """The most memory that this process had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(folder: Path) -> dict[str, float]:
    """Seconds, the most memory that the process had, and what of it came after the imports."""
    register_all_modules()
    dataset_type = DATASETS.get('wsl_plugins.PseudoBoxDataset')  # imports what it needs
    before, start = peak_mib(), time.perf_counter()
    dataset = dataset_type(
        data_root=str(folder),
        metadata_root='metadata',
        split='train-weaksup',
        data_prefix='images',
        box_file='boxes.json',
        check_files=False,
        pipeline=[
            dict(type='mmpretrain.LoadImageFromFile'),
            dict(type='wsl_plugins.PackWSOLInputs'),
        ],
    )
    assert dataset[0]['data_samples'].gt_box.shape == (4,)
    seconds = time.perf_counter() - start
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
