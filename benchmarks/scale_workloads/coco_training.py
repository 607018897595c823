"""Training data of COCO's size: from the data set to the first batch.

Annotations with polygons (7.3 objects an image), 2,000 whole-pixel proposals an image, and the
pictures of the first images only, which are those of the first batches; the other files are links
to them.

    --make DIR --images N  writes them; proposals compressed, as files once were, and converted
    --run DIR              one JSON line; under torchrun one of each process
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
PROPOSALS, OBJECTS, PICTURES = 2000, 7.27, 64


def make(folder: Path, images: int) -> None:
    """All files, of all images and of those with pictures."""
    write(folder / 'few', PICTURES)
    seconds = write(folder / 'all', images)
    print(f'conversion of the proposals: {seconds:.1f} s')


def write(folder: Path, images: int) -> float:
    """Write annotations, pictures and proposals; the converter of this build makes the second file
    of proposals, and its seconds are returned."""
    (folder / 'images').mkdir(parents=True)
    rng = np.random.default_rng(0)
    sizes = np.array([[640, 480], [480, 640], [640, 427], [500, 375]])[rng.integers(4, size=images)]
    write_annotations(folder / 'annotations.json', sizes, rng)
    for number, (width, height) in enumerate(sizes[:PICTURES]):
        picture = rng.integers(256, size=(height, width, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / 'images' / f'{number:012d}.jpg'), picture)
    for number in range(PICTURES, images):
        (folder / 'images' / f'{number:012d}.jpg').symlink_to(f'{number % PICTURES:012d}.jpg')
    boxes = np.empty((images * PROPOSALS, 4), np.uint16)
    for number, size in enumerate(sizes):
        start = rng.integers(0, size - 20, (PROPOSALS, 2))
        start = start[np.lexsort(start.T[::-1])]
        rows = slice(number * PROPOSALS, (number + 1) * PROPOSALS)
        boxes[rows, :2] = start
        boxes[rows, 2:] = rng.integers(start + 20, size + 1)
    ids = np.array([f'{number:012d}' for number in range(images)])
    offsets = np.arange(images + 1) * PROPOSALS
    np.savez_compressed(folder / 'compressed.npz', ids=ids, offsets=offsets, boxes=boxes)
    del boxes
    started = time.perf_counter()
    tool, source = ROOT / 'tools' / 'convert_proposals.py', folder / 'compressed.npz'
    command = [sys.executable, tool, source, '--out', folder / 'mapped.npz']
    subprocess.run(command, check=True, stdout=sys.stderr)
    return time.perf_counter() - started


def write_annotations(path: Path, sizes: np.ndarray, rng: np.random.Generator) -> None:
    """COCO's instances; polygons of 22 points from a few."""
    polygons = [(rng.random((8, 44)) * 300).round(2).tolist() for _ in range(32)]
    polygons = [json.dumps([row]) for rows in polygons for row in rows]
    owners = np.sort(rng.integers(len(sizes), size=int(len(sizes) * OBJECTS)))
    categories, corners = rng.integers(80, size=len(owners)), rng.random((len(owners), 4))
    with open(path, 'w') as file:
        images = [
            dict(
                license=3,
                file_name=f'{number:012d}.jpg',
                coco_url=f'http://images.cocodataset.org/train2017/{number:012d}.jpg',
                height=height,
                width=width,
                date_captured='2013-11-14 11:18:45',
                id=number,
            )
            for number, (width, height) in enumerate(sizes.tolist())
        ]
        file.write(f'{{"images": {json.dumps(images)}, "annotations": [')
        for number, owner in enumerate(owners.tolist()):
            box = [*(corners[number, :2] * 300), *(5 + corners[number, 2:] * 200)]
            box = ', '.join(f'{value:.2f}' for value in box)
            file.write(
                f'{", " if number else ""}{{"segmentation": {polygons[number % len(polygons)]}, '
                f'"area": {corners[number, 0] * 40000 + 1:.4f}, '
                f'"iscrowd": {int(number % 86 == 0)}, '
                f'"image_id": {owner}, "bbox": [{box}], "category_id": {categories[number]}, '
                f'"id": {number}}}'
            )
        names = [dict(id=number, name=f'class {number}') for number in range(80)]
        file.write(f'], "categories": {json.dumps(names)}}}')


def run(folder: Path) -> None:
    """Data set, loader and first batch as the runner makes them; once with few images before, so
    that what is loaded for any batch does not count."""
    import torch
    from mmengine import dist

    if 'RANK' in os.environ:
        torch.distributed.init_process_group('gloo')
    first_batch(folder / 'few')
    dist.barrier()
    before = share_mib()
    started, cpu = time.perf_counter(), time.process_time()
    loader, _ = first_batch(folder / 'all')
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    dist.barrier()  # until all have mapped what they share
    added = share_mib() - before
    resident = status('status', 'VmRSS')
    result = dict(seconds=seconds, cpu_seconds=cpu, resident_mib=resident, added_mib=added)
    print(json.dumps(result), flush=True)
    dist.barrier()


def first_batch(folder: Path) -> tuple:
    """The loader of a folder and its first batch."""
    from mmengine.registry import init_default_scope
    from mmengine.runner import Runner

    from wsl_plugins.datasets import WSODCocoDataset  # noqa: F401

    init_default_scope('mmdet')
    mapped = find_spec('wsl_plugins.files')
    loader = Runner.build_dataloader(
        dict(
            batch_size=2,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_sampler=dict(type='AspectRatioBatchSampler'),
            dataset=dict(
                type='wsl_plugins.WSODCocoDataset',
                data_root=str(folder),
                ann_file='annotations.json',
                data_prefix=dict(img='images/'),
                metainfo=dict(classes=[f'class {number}' for number in range(80)]),
                proposal_file='mapped.npz' if mapped else 'compressed.npz',
                filter_cfg=dict(filter_empty_gt=True),
                pipeline=[
                    dict(type='LoadImageFromFile'),
                    dict(type='wsl_plugins.LoadWSODProposals'),
                    dict(
                        type='wsl_plugins.TransformWithProposals',
                        transforms=[dict(type='Resize', scale=(1000, 480), keep_ratio=True)],
                    ),
                    dict(type='wsl_plugins.PackWSODInputs'),
                ],
            ),
        ),
        seed=0,
    )
    return loader, next(iter(loader))


def share_mib() -> float:
    """Memory of this process; pages that n processes have count 1/n."""
    return status('smaps_rollup', 'Pss')


def status(file: str, key: str) -> float:
    """A size in MiB, of those that Linux tells about this process in kB."""
    text = Path('/proc/self', file).read_text()
    return int(re.search(rf'^{key}:\s+([0-9]+) kB$', text, re.MULTILINE)[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    call = parser.add_mutually_exclusive_group(required=True)
    call.add_argument('--make', type=Path, metavar='DIR')
    call.add_argument('--run', type=Path, metavar='DIR')
    parser.add_argument('--images', type=int, default=2000, metavar='N', help='default: 2000')
    args = parser.parse_args()
    if args.make:
        make(args.make, args.images)
    else:
        run(args.run)


if __name__ == '__main__':
    main()
