"""Images of a fixed size in batches, read ahead by threads."""

import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.dist import get_world_size, is_main_process
from torch import Tensor
from tqdm import tqdm

from wsl_plugins.files.images import read_pixels

import mmcv

AHEAD = 2  # batches that are read while one is used


class BrokenImagesError(ValueError):
    """Images cannot be read and may not be left out; ``problems`` has a line for each."""

    def __init__(self, problems: list[str], images: int) -> None:
        super().__init__(
            f'{len(problems)} of {images} images cannot be used (--skip-broken leaves them out; '
            'what is done is kept)'
        )
        self.problems = problems


class ImageBatch(NamedTuple):
    """Images that could be read, and those that could not.

    Attributes:
        ids (list[str]): Of the N images that could be read.
        images (Tensor | None): (N, 3, S, S) uint8 BGR; None if N = 0.
        sizes (list[tuple[int, int]]): (width, height) of the original images.
        broken (dict[str, str]): Id to what is wrong with the image.
    """

    ids: list[str]
    images: Tensor | None
    sizes: list[tuple[int, int]]
    broken: dict[str, str]


def read_image(
    path: Path, input_size: int, size: tuple[int, int] | None = None
) -> tuple[Tensor, tuple[int, int]] | str:
    """Image (3, S, S) uint8 BGR, squeezed to a square, and its original (width, height).

    Resized by Pillow (bilinear, over all pixels that a new one covers), as the published DDT is.

    Args:
        path (Path): Image file.
        input_size (int): S.
        size (tuple[int, int], optional): (width, height) it must have. Defaults to None: any.

    Returns:
        tuple[Tensor, tuple[int, int]] | str: Image and size, or what is wrong with it.
    """
    if not path.is_file():
        return 'no such file'
    image = read_pixels(path)
    if image is None:
        return 'cannot be read as an image'
    height, width = image.shape[:2]
    if size not in (None, (width, height)):
        return f'is {width} x {height} pixels, its metadata say {size[0]} x {size[1]}'
    image = mmcv.imresize(image, (input_size, input_size), backend='pillow')
    return torch.from_numpy(image).permute(2, 0, 1), (width, height)


def read_batches(
    batches: Iterable[list[str]],
    paths: dict[str, Path],
    input_size: int,
    sizes: dict[str, tuple[int, int]],
    workers: int,
) -> Iterator[ImageBatch]:
    """Images of the ids of each batch, in order.

    Args:
        batches (Iterable[list[str]]): Image ids.
        paths (dict[str, Path]): File of each image.
        input_size (int): S.
        sizes (dict[str, tuple[int, int]]): (width, height) the images must have; may lack images.
        workers (int): Number of threads.
    """
    read = partial(read_image, input_size=input_size)
    waiting: deque[tuple[list[str], list]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for ids in batches:
            jobs = [pool.submit(read, paths[i], size=sizes.get(i)) for i in ids]
            waiting.append((ids, jobs))
            if len(waiting) > AHEAD:
                yield _collect(*waiting.popleft())
        while waiting:
            yield _collect(*waiting.popleft())


def with_progress(batches: Iterable[ImageBatch], images: int) -> Generator[ImageBatch, None, None]:
    """The batches, with a progress bar over so many images in the first process."""
    world = get_world_size()
    with tqdm(
        total=images,
        unit='image',
        desc='DDT' if world == 1 else f'DDT, process 1 of {world}',
        mininterval=0.2 if sys.stderr.isatty() else 10,
        disable=not is_main_process(),
    ) as bar:
        for batch in batches:
            bar.update(len(batch.ids) + len(batch.broken))
            yield batch


def _collect(ids: list[str], jobs: list) -> ImageBatch:
    results = {image_id: job.result() for image_id, job in zip(ids, jobs, strict=True)}
    broken = {i: result for i, result in results.items() if isinstance(result, str)}
    good = {i: result for i, result in results.items() if i not in broken}
    images = torch.stack([image for image, _ in good.values()]) if good else None
    return ImageBatch(list(good), images, [size for _, size in good.values()], broken)
