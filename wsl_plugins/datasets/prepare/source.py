"""What every reader of one's own data gives: images with the names of their classes."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from wsl_plugins.files.names import SUFFIXES
from wsl_plugins.files.problems import summary


class Box(NamedTuple):
    """An object: its class, xyxy pixels from 0 with exclusive ends, difficult (VOC) or crowd."""

    name: str
    xyxy: tuple[float, float, float, float]
    crowd: bool = False


@dataclass(frozen=True)
class LabelledImage:
    """An image and its labels.

    Attributes:
        image_id (str): Path below the folder of images, with "/".
        path (Path): The file.
        labels (tuple[str, ...]): Names of its classes, sorted, at least one.
        boxes (tuple[Box, ...]): Its objects, for evaluation only; empty if not known.
        size (tuple[int, int], optional): (width, height) in pixels: before the file has been read
            that of the annotation of its boxes, if known.
    """

    image_id: str
    path: Path
    labels: tuple[str, ...]
    boxes: tuple[Box, ...] = ()
    size: tuple[int, int] | None = None

    def with_(self, **changes) -> 'LabelledImage':
        """A copy with other values."""
        return replace(self, **changes)


@dataclass
class Source:
    """Images, and what was left out: a sentence such as 'images without a label' to its number."""

    images: list[LabelledImage] = field(default_factory=list)
    left_out: Counter = field(default_factory=Counter)


def raise_problems(name: str | os.PathLike, problems: list[str]) -> None:
    """One ValueError with the number of problems and the first five, if there is one."""
    if problems:
        raise ValueError(f'{name}: {summary(problems, "problem")}')


def image_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """(path below the folder, file) of every image in it and its folders, sorted.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f'{folder}: no such folder of images')
    for path in sorted(folder.rglob('*')):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            yield path.relative_to(folder).as_posix(), path
