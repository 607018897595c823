"""Image files that annotations name: whether they are there, and how large they are."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

from PIL import Image

from wsl_plugins.files.folders import files_below
from wsl_plugins.files.images import read_pixels
from wsl_plugins.files.names import SUFFIXES
from wsl_plugins.files.problems import raise_problems, summary

ORIENTATION = 0x0112
"""The tag (EXIF) that says how to turn an image."""
UNSIZED = 'images without a size in their annotation, read from the file'
Size = tuple[int, int]


def check_there(names: Sequence[str], folder: str | os.PathLike, where: object) -> None:
    """Whether all images are there; every folder is listed once.

    Args:
        names: Paths below ``folder``, or absolute ones.
        folder: Folder of images.
        where: The file that names them, for messages.

    Raises:
        FileNotFoundError: There is no such folder, or images are missing: their number and five.
    """
    if not os.path.isdir(folder or '.'):
        raise FileNotFoundError(f'{folder}: no such folder of images')
    listed: dict[str, set[str]] = {}
    missing = []
    for name in names:
        base = name.rpartition('/')[2]
        parent = name[: len(name) - len(base)]
        if parent not in listed:
            listed[parent] = set(_names_in(os.path.join(folder, parent)))
        if base not in listed[parent]:
            missing.append(repr(name))
    if missing:
        raise FileNotFoundError(
            f'{where}: no file in {folder}, where names start, for {summary(missing, "image")} '
            f'(of {len(names)})'
        )


def files_of_ids(ids: Iterable[str], folder: Path, where: object) -> dict[str, Path]:
    """The image file of every id, whatever its suffix.

    Args:
        ids: Paths below ``folder`` without suffix.
        folder: Folder of images.
        where: The list of ids, for messages.

    Raises:
        FileNotFoundError: There is no such folder, or images are missing: their number and five.
        ValueError: Two files differ in their suffix only.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f'{folder}: no such folder of images')
    ids = list(ids)
    by_stem: dict[Path, dict[str, list[str]]] = {}
    found: dict[str, list[Path]] = {}
    for image_id in ids:
        parent = (folder / image_id).parent
        if parent not in by_stem:
            by_stem[parent] = defaultdict(list)
            for name in sorted(_names_in(parent)):
                if os.path.splitext(name)[1].lower() in SUFFIXES:
                    by_stem[parent][os.path.splitext(name)[0]].append(name)
        names = by_stem[parent].get(os.path.basename(image_id), [])
        found[image_id] = [parent / name for name in names]
    missing = [repr(image_id) for image_id, paths in found.items() if not paths]
    if missing:
        raise FileNotFoundError(
            f'{where}: no file in {folder}, where names start, for {summary(missing, "image")} '
            f'(of {len(ids)}; known suffixes: {", ".join(SUFFIXES)})'
        )
    twice = [f'{p[0]} and {p[1]} are both {i!r}' for i, p in found.items() if len(p) > 1]
    raise_problems(where, twice)
    return {image_id: paths[0] for image_id, paths in found.items()}


def _names_in(folder: str | os.PathLike) -> list[str]:
    try:
        return os.listdir(folder or '.')
    except OSError:
        return []


def is_turned(path: str | os.PathLike) -> bool:
    """Whether the orientation tag of an image file exchanges its width and its height."""
    try:
        with Image.open(path) as image:
            return image.getexif().get(ORIENTATION, 1) in range(5, 9)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False


def size_of_file(path: str | os.PathLike) -> Size | str | None:
    """(width, height) of an image as :func:`read_pixels` turns it; None, or why, if it is none.

    Pixels are read only where there is a tag: OpenCV would allocate what a damaged header claims.
    """
    try:
        with Image.open(path) as image:
            if not image.getexif().get(ORIENTATION):
                return image.size
    except FileNotFoundError:
        raise
    except Image.DecompressionBombError as error:
        return f'is too large: {error}'
    except (OSError, SyntaxError, ValueError):
        return None
    pixels = read_pixels(Path(path))
    return None if pixels is None else pixels.shape[1::-1]


def checked_sizes(
    paths: Sequence[Path], noted: Sequence[Size | None], where: object
) -> tuple[list[Size], int]:
    """Sizes of image files that must be those of the annotations.

    Args:
        paths: The files.
        noted: (width, height) of each in its annotation; None if it is missing there.
        where: Whose images they are, for messages.

    Returns:
        (width, height) of each, and the number of those that were missing in the annotations.

    Raises:
        ValueError: Files cannot be read as images, or have another size: the first five of them.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        sizes = list(pool.map(size_of_file, paths))
    problems = map(problem_of_size, paths, sizes, noted)
    raise_problems(where, [problem for problem in problems if problem])
    return cast(list[Size], sizes), sum(size is None for size in noted)


def sizes_in(folder: str | os.PathLike) -> dict[str, Size]:
    """Path below a folder and (width, height) of all its images.

    Raises:
        FileNotFoundError: There is no such folder, or no image in it.
        ValueError: Files cannot be read as images.
    """
    if not Path(folder).is_dir():
        raise FileNotFoundError(f'{folder}: no such folder of images')
    paths = [path for path in files_below(folder)[0] if path.suffix.lower() in SUFFIXES]
    if not paths:
        raise FileNotFoundError(f'{folder}: no images; known suffixes: {", ".join(SUFFIXES)}')
    sizes = checked_sizes(paths, [None] * len(paths), folder)[0]
    names = [path.relative_to(folder).as_posix() for path in paths]
    return {name: (int(w), int(h)) for name, (w, h) in zip(names, sizes, strict=True)}


def problem_of_size(path: Path, size: Size | str | None, noted: Size | None) -> str | None:
    """Why an image file of this size does not fit its annotation, or why it cannot be read (the
    text in the place of a size); None if it fits."""
    if size is None or isinstance(size, str):
        return f'{path} {size or "cannot be read as an image"}'
    if noted in (None, tuple(size)):
        return None
    swapped = noted == tuple(size)[::-1] and is_turned(path)
    turned = ' (turned by its orientation tag: remove the tag)' if swapped else ''
    return (
        f'{path} is {size[0]} x {size[1]} pixels{turned}, its annotation says '
        f'{noted[0]} x {noted[1]} (width x height)'
    )
