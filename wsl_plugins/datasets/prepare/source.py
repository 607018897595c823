"""What every reader of one's own data gives: images with the names of their classes."""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from wsl_plugins.files.folders import HIDDEN, files_below
from wsl_plugins.files.names import SUFFIXES


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
    """Images and what is to be said about them.

    Attributes:
        images (list[LabelledImage]): The images.
        left_out (Counter): What was left out, such as 'images without a label', to its number.
        noted (Counter): What else is to be said, such as 'boxes clipped to their image', to its
            number.
        unlabelled (set[str]): Ids of images that the source names without a label (CSV).
        found (str): What was found out about the source, one line; empty if nothing was.
    """

    images: list[LabelledImage] = field(default_factory=list)
    left_out: Counter = field(default_factory=Counter)
    noted: Counter = field(default_factory=Counter)
    unlabelled: set[str] = field(default_factory=set)
    found: str = ''


def image_files(folder: Path) -> tuple[list[tuple[str, Path]], Counter]:
    """(path below the folder, file) of every image in it and its folders, sorted, and how many
    other files are there. Links that lead nowhere are taken: who reads them says so.

    Raises:
        FileNotFoundError: There is no such folder.
        OSError: A folder inside cannot be read.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f'{folder}: no such folder of images')
    shown, hidden = files_below(folder)
    images = [path for path in shown if path.suffix.lower() in SUFFIXES]
    others = Counter({'files that are no images': len(shown) - len(images), HIDDEN: len(hidden)})
    return [(path.relative_to(folder).as_posix(), path) for path in images], +others
