"""Images per second of the data loaders against those of training.

One epoch of a training loader on generated images of 500 pixels, for each number of workers (their
start counts), beside a training step without weights: of a detector on 480 x 640 pixels, the
smallest of its scales and so its shortest step, with as many random proposals as the loader brings;
of a localizer on a whole batch. A ratio above 1: the loader is faster than training.

Example:
    python benchmarks/data_loading.py --workers 0 1 2
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from common import build, make_batch, print_table
from mmengine.config import Config
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata, write_wsol_metadata

TOOL = Path(__file__).parents[1] / 'tools' / 'make_demo_dataset.py'
IMAGES = 'VOC2007/JPEGImages'
IDS = 'VOC2007/ImageSets/Main/train.txt'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Data loading beside training')
    parser.add_argument('--wsod', default='configs/mist/mist_vgg16_voc07.py')
    parser.add_argument('--wsol', default='configs/wsol/cam/cam_resnet50_cub.py')
    parser.add_argument('--images', type=int, default=96, help='default: 96')
    parser.add_argument('--proposals', type=int, default=2000, help='R, default: 2000')
    parser.add_argument('--workers', type=int, nargs='+', default=[0, 1, 2], help='default: 0 1 2')
    parser.add_argument('--size', nargs=2, type=int, default=(480, 640), help='height and width')
    parser.add_argument('--repeats', type=int, default=1, help='steps after one of warm-up')
    return parser.parse_args()


def write_data(folder: Path, images: int, proposals: int, size: int = 500) -> None:
    """The generated detection data set with random proposals, and as a localization data set."""
    options = [f'--train={images}', '--test=1', f'--size={size}']
    subprocess.run([sys.executable, TOOL, folder, *options], check=True, capture_output=True)
    ids = (folder / IDS).read_text().split()
    rng = np.random.default_rng(0)
    boxes = {}
    side = size * 2 // 3  # the shorter one of the smallest image
    for image_id in ids:
        low = rng.integers(0, side - 20, (proposals, 2))
        boxes[image_id] = np.concatenate([low, rng.integers(low + 20, side + 1)], axis=1)
    ProposalFile.from_images(boxes).save(folder / 'proposals.npz')
    files = [f'{image_id}.jpg' for image_id in ids]
    labels = {file: number % 5 for number, file in enumerate(files)}
    write_wsol_metadata(WSOLMetadata(folder / 'metadata' / 'train-weaksup', files, labels))


def detection_data(cfg: Config, folder: Path) -> None:
    classes = tuple((folder / 'classes.txt').read_text().split())
    cfg.train_dataloader.dataset.update(
        data_root=str(folder),
        ann_file=IDS,
        proposal_file='proposals.npz',
        metainfo=dict(classes=classes),
    )


def localization_data(cfg: Config, folder: Path) -> None:
    cfg.train_dataloader.dataset.update(
        data_root=str(folder), data_prefix=IMAGES, metadata_root='metadata'
    )
    cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)


def loader_of(cfg: Config, workers: int) -> DataLoader:
    options = dict(num_workers=workers, persistent_workers=False)
    return Runner.build_dataloader({**cfg.train_dataloader, **options}, seed=0)


def loader_rate(cfg: Config, workers: int, images: int) -> float:
    """Images per second of one epoch."""
    loader = loader_of(cfg, workers)
    started = time.perf_counter()
    seen = sum(len(batch['inputs']) for batch in loader)
    if seen != images:
        raise RuntimeError(f'the loader gave {seen} of {images} images')
    return seen / (time.perf_counter() - started)


def training_rate(cfg: Config, batch: dict, repeats: int) -> float:
    """Images per second of training steps on one batch."""
    model, optimizer = build(cfg)
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        model.train_step(batch, optimizer)
        times.append(time.perf_counter() - started)
    return len(batch['inputs']) / statistics.median(times[1:])


def main() -> None:
    args = parse_args()
    rows = [['config', 'batch', 'training, images/s']]
    for count in args.workers:
        rows[0] += [f'{count} worker{"" if count == 1 else "s"}, images/s', 'ratio']
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, 'data')
        write_data(folder, args.images, args.proposals)
        for path, adapt in ((args.wsod, detection_data), (args.wsol, localization_data)):
            cfg = Config.fromfile(path)
            adapt(cfg, folder)
            if adapt is detection_data:
                classes = cfg.model.roi_head.num_classes
                batch = make_batch(*args.size, args.proposals, classes)
            else:
                batch = next(iter(loader_of(cfg, 0)))
            training = training_rate(cfg, batch, args.repeats)
            row = [Path(path).stem, str(cfg.train_dataloader.batch_size), f'{training:.2f}']
            for count in args.workers:
                rate = loader_rate(cfg, count, args.images)
                row += [f'{rate:.1f}', f'{rate / training:.1f}']
            rows.append(row)
    print(
        f'{args.images} images, {args.proposals} proposals each, on cpu, '
        f'{torch.get_num_threads()} threads\n'
    )
    print_table(rows)


if __name__ == '__main__':
    main()
