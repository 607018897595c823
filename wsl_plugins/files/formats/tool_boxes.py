"""Boxes of annotation tools: what every reader of them gives, and whose images they are."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from wsl_plugins.files.names import ImageNames, bare

Size = tuple[int, int]


class ToolBox(NamedTuple):
    """A box.

    Attributes:
        which (str): What an error calls it, such as ``box 3 of image 'a.jpg'``.
        name (str): Of its class.
        box (tuple): xyxy, pixels from 0 with exclusive ends, as they stand in the file.
        score (float): NaN if there is none.
    """

    which: str
    name: str
    box: tuple[float, float, float, float]
    score: float


class ToolImage(NamedTuple):
    """An image.

    Attributes:
        name (str): As the file calls it: a path, with or without suffix.
        size (tuple[int, int] | None): (width, height); None if the file does not tell it.
        boxes (list[ToolBox]): Its objects.
        corrected (bool): Whether the file tells that a person has looked at it.
    """

    name: str
    size: Size | None
    boxes: list[ToolBox]
    corrected: bool = False


@dataclass
class ToolBoxes:
    """What a file, or a folder of files, of a tool holds.

    Attributes:
        images (list[ToolImage]): In the order of the file.
        classes (dict[int, str]): The classes that the file lists, else those in it, by number.
        left_out (Counter): What was left out, and how often.
        looked_at (bool): Whether ``corrected`` of the images can be believed; False: the format
            cannot tell.
        scaled (bool): Whether the format leaves no doubt about the unit of boxes.
    """

    images: list[ToolImage]
    classes: dict[int, str]
    left_out: Counter = field(default_factory=Counter)
    looked_at: bool = False
    scaled: bool = False


def classes_in(images: Iterable[ToolImage]) -> dict[int, str]:
    """Names of the classes of all boxes, sorted and numbered from 0."""
    return dict(enumerate(sorted({box.name for image in images for box in image.boxes})))


class KnownImages:
    """Images whose sizes are known, found by what another file calls them.

    Args:
        sizes (dict[str, tuple[int, int]]): File name to (width, height).

    Example:
        >>> known = KnownImages({'d0/a.jpg': (40, 30), 'd1/b.png': (9, 9)})
        >>> known.find('photos/d0/a.jpg'), known.find('b'), known.find('c.png')
        ('d0/a.jpg', 'd1/b.png', None)
    """

    def __init__(self, sizes: dict[str, Size]) -> None:
        self.sizes = sizes
        stems = Counter(map(bare, sizes))
        names = [name for name in sizes if stems[bare(name)] == 1]
        self._twins = {stem for stem, count in stems.items() if count > 1}
        self._images = ImageNames(map(bare, names), names)

    def find(self, text: str) -> str | None:
        """File name of the image that a text means (:class:`ImageNames`); None if there is none.

        Exports of Label Studio have eight digits in front of a name: ``'1a2b3c4d-a.jpg'`` (of an
        upload) or ``'1a2b3c4d__a.jpg'`` means ``'a.jpg'``, if it means nothing else.

        Raises:
            ValueError: It may be one of several.
        """
        if text in self.sizes:
            return text
        if bare(text) in self._twins:
            raise ValueError(f'{text!r} may be one of several images that differ in their suffix')
        own = re.sub('(^|/)[0-9a-f]{8}(?:-|__)([^/]+)$', r'\1\2', bare(text))
        return self._images.find(bare(text)) or (None if own == bare(text) else self.find(own))
