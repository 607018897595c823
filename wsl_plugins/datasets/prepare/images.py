"""Image files: their sizes, their names in the prepared folder."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from wsl_plugins.datasets.prepare.source import LabelledImage
from wsl_plugins.files.images import read_pixels
from wsl_plugins.files.listed_images import problem_of_size
from wsl_plugins.files.names import is_utf8
from wsl_plugins.files.problems import raise_problems


def read_sizes(images: list[LabelledImage], workers: int | None = None) -> list[LabelledImage]:
    """The images with their sizes; every file is read whole, as training will.

    Sizes are those of the images turned as :func:`wsl_plugins.files.images.read_pixels` does.

    Args:
        images (list[LabelledImage]): Images.
        workers (int, optional): Number of threads. Defaults to None: one per core.

    Raises:
        ValueError: Files cannot be read as images, or have another size than the annotations of
            their boxes say; one error names the first five.
    """
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        sizes = list(
            tqdm(
                pool.map(_size, [image.path for image in images]),
                total=len(images),
                unit='image',
                desc='reading images',
                mininterval=0.2 if sys.stderr.isatty() else 10,
            )
        )
    pairs = zip(images, sizes, strict=True)
    problems = [problem_of_size(image.path, size, image.size) for image, size in pairs]
    raise_problems('images', [problem for problem in problems if problem])
    return [image.with_(size=size) for image, size in zip(images, sizes, strict=True)]


def _size(path: Path) -> tuple[int, int] | str:
    """(width, height), turned as the file says; or why the file cannot be read."""
    try:
        pixels = read_pixels(path)
    except OSError as error:
        return f'cannot be read: {error.strerror}'
    return 'cannot be read as an image' if pixels is None else pixels.shape[1::-1]


def name_images(images: list[LabelledImage]) -> dict[str, LabelledImage]:
    """File name of every image in the prepared folder: its path with "__" for "/".

    Raises:
        ValueError: Two names differ in their suffix only, or not at all: proposals belong to a
            name without suffix; or a name is no utf-8 text.
    """
    named: dict[str, LabelledImage] = {}
    stems: dict[str, str] = {}
    problems = []
    for image in images:
        name = image.image_id.replace('/', '__')
        stem = Path(name).stem
        if not is_utf8(name):
            problems.append(f'{name!r} is no utf-8 text')
        if stem in stems:
            problems.append(f'{stems[stem]!r} and {image.image_id!r} would both be {stem!r}')
        stems.setdefault(stem, image.image_id)
        named[name] = image
    raise_problems('images', problems)
    return named


def link_images(named: dict[str, LabelledImage], folder: Path) -> None:
    """Make symbolic links to the image files in a new folder."""
    folder.mkdir(parents=True)
    for name, image in named.items():
        (folder / name).symlink_to(image.path.resolve())
