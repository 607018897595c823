"""Speed and memory of DDT against the bare forward pass of its network.

Every row is a process of its own, on generated images and random weights:

- speed: images per second of the network up to the layer alone (one batch again and again, as many
  images as both passes of DDT see), and of DDT in all: reading, float64 sums, principal component
  and boxes, in classes of ``--class-size`` images. On a CPU also by the processor time of the
  process, which other programs on the machine disturb less;
- memory: resident size before DDT and its highest value during DDT (Linux) for 200 and 2000 images
  as one set, with a small network (ResNet-18, layer3, 128 x 128 pixels: 64 KiB of features an
  image); set ``MALLOC_MMAP_THRESHOLD_=1048576``, or freed blocks may stay resident and count;
- sums: seconds per batch of the float64 sums and of the same in float32 (products of a batch added
  into float64), and how far the component of the float32 sums is from that of the float64 ones.

Example:
    OMP_NUM_THREADS=1 python benchmarks/ddt.py speed --backbone resnet50 --layer layer4
    MALLOC_MMAP_THRESHOLD_=1048576 python benchmarks/ddt.py memory
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch
import torchvision
from terminaltables import GithubFlavoredMarkdownTable

from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata
from wsl_plugins.pseudo_boxes.ddt import FeatureSums
from wsl_plugins.pseudo_boxes.extract import LayerFeatures, from_torchvision
from wsl_plugins.pseudo_boxes.generate import DDTBoxes


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Speed and memory of DDT')
    parser.add_argument('what', choices=('speed', 'memory', 'sums'))
    parser.add_argument('--backbone', default='resnet50', help='of torchvision; default: resnet50')
    parser.add_argument('--layer', default='layer4', help='default: layer4')
    parser.add_argument('--input-size', type=int, default=448, help='default: 448')
    parser.add_argument('--batch-size', type=int, default=8, help='default: 8')
    parser.add_argument('--class-size', type=int, default=30, help='default: 30')
    parser.add_argument('--images', type=int, nargs='+', help='default: 60; memory: 200 2000')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return parser.parse_args()


def make_task(args: argparse.Namespace, folder: Path, images: int) -> DDTBoxes:
    """DDT of generated images of 500 x 375 pixels with a network of random weights."""
    generator = np.random.default_rng(0)
    for number in range(images):
        noise = generator.integers(0, 255, (8, 10, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{number}.jpg'), cv2.resize(noise, (500, 375)))
    torch.manual_seed(0)
    network = torchvision.models.get_model(args.backbone, weights=None)
    torch.save(network.state_dict(), folder / 'weights.pth')
    ids = [f'{number}.jpg' for number in range(images)]
    labels = {image_id: number // args.class_size for number, image_id in enumerate(ids)}
    return DDTBoxes(
        features=from_torchvision(
            args.backbone, folder / 'weights.pth', args.layer, args.input_size, args.device
        ),
        metadata=WSOLMetadata(folder, ids, labels),
        data_root=folder,
        out=folder / 'boxes.json',
        classes={label: str(label) for label in set(labels.values())},
        batch_size=args.batch_size,
    )


def timed(function: Callable, device: str) -> np.ndarray:
    """Wall and processor seconds of a call."""
    before = np.array([time.perf_counter(), time.process_time()])
    function()
    if device != 'cpu':
        torch.cuda.synchronize()
    return np.array([time.perf_counter(), time.process_time()]) - before


def forward(features: LayerFeatures, batches: int, batch_size: int) -> None:
    size = (batch_size, 3, features.input_size, features.input_size)
    images = torch.randint(0, 256, size, dtype=torch.uint8)
    for _ in range(batches):
        features(images)


def speed(args: argparse.Namespace, images: int) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        task = make_task(args, Path(folder), images)
        batches = images // args.batch_size
        forward(task.features, 2, args.batch_size)
        bare = timed(lambda: forward(task.features, batches, args.batch_size), args.device)
        ddt = timed(task.run, args.device)
        bare += timed(lambda: forward(task.features, batches, args.batch_size), args.device)
    one, other = 2 * batches * args.batch_size / bare, 2 * images / ddt
    return [f'{one[0]:.2f}', f'{other[0]:.2f}', *(f'{ratio:.3f}' for ratio in other / one)]


def memory(args: argparse.Namespace, images: int) -> list[str]:
    small = dict(backbone='resnet18', layer='layer3', input_size=128, class_size=images)
    with tempfile.TemporaryDirectory() as folder:
        task = make_task(argparse.Namespace(**{**vars(args), **small}), Path(folder), images)
        forward(task.features, 2, args.batch_size)
        Path('/proc/self/clear_refs').write_text('5')  # the peak starts anew
        before = resident('VmRSS')
        task.run()
        peak = resident('VmHWM')
    return [f'{value:.0f}' for value in (before, peak, peak - before, images / 16)]


def resident(key: str) -> float:
    """MiB of a line of the process's status."""
    lines = Path('/proc/self/status').read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1024


def sums(args: argparse.Namespace, images: int) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        task = make_task(args, Path(folder), images)
        exact = FeatureSums(task.features.channels, args.device)
        rough = FeatureSums(task.features.channels, args.device)
        seconds = np.zeros(2)
        generator = torch.Generator().manual_seed(0)
        size = (args.batch_size, 3, args.input_size, args.input_size)
        for _ in range(images // args.batch_size):
            batch = torch.randint(0, 256, size, dtype=torch.uint8, generator=generator)
            found = task.features(batch)
            cells = found.movedim(1, -1).flatten(0, -2)
            seconds[0] += timed(lambda: exact.update(found), args.device)[1]  # noqa: B023
            seconds[1] += timed(lambda: rough.outer.add_(cells.T @ cells), args.device)[1]  # noqa: B023
        rough.total, rough.cells = exact.total, exact.cells
        wanted, got = exact.statistics().component, rough.statistics().component
    seconds /= images // args.batch_size
    difference = np.linalg.norm(got - wanted)
    return [*(f'{value:.3f}' for value in seconds), f'{difference:.1e}']


COLUMNS = dict(
    speed=['forward, images/s', 'DDT, two passes', 'ratio', 'ratio of processor time'],
    memory=['before, MiB', 'at most, MiB', 'DDT, MiB', 'all features, MiB'],
    sums=['float64, s per batch', 'float32, s per batch', 'difference of the components'],
)


def main() -> None:
    args = parse_args()
    work = dict(speed=speed, memory=memory, sums=sums)[args.what]
    rows = [['images', *COLUMNS[args.what]]]
    for images in args.images or ([200, 2000] if args.what == 'memory' else [60]):
        with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
            rows.append([str(images), *pool.submit(work, args, images).result()])
    network = f'{args.backbone} {args.layer}, {args.input_size} pixels'
    if args.what == 'memory':
        network = 'ResNet-18 layer3, 128 pixels'
    print(f'{network}, batches of {args.batch_size}, {args.device}, ', end='')
    print(f'{torch.get_num_threads()} threads\n')
    print(GithubFlavoredMarkdownTable(rows).table)


if __name__ == '__main__':
    main()
