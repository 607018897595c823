"""Annotations of PASCAL VOC and ImageNet, and VOC's lists of images."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from wsl_plugins.files.names import COLUMN, SUFFIXES, first_repeated, problem_of_path
from wsl_plugins.files.problems import summary
from wsl_plugins.files.text import read_text, read_xml, short

CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')


class VOCObject(NamedTuple):
    """An object: name of its class, box as in the file (None if not asked for), difficult."""

    name: str
    box: tuple[float, float, float, float] | None
    difficult: bool


class VOCAnnotation(NamedTuple):
    """(width, height), None if it is missing or zero, the objects of an image, and the name of its
    file without folders ('' if it is missing)."""

    size: tuple[int, int] | None
    objects: list[VOCObject]
    filename: str = ''

    def boxes(self, first: int = 1) -> np.ndarray:
        """(N, 4) float64 xyxy pixels from 0 with exclusive ends.

        Args:
            first: Number of the first pixel in the file. Default 1; ImageNet counts from 0.
        """
        corners = np.array([item.box for item in self.objects], np.float64).reshape(-1, 4)
        return corners + np.array([0, 0, 1, 1]) - first


def read_voc(path: str | os.PathLike, with_boxes: bool | None = True) -> VOCAnnotation:
    """One annotation.

    Args:
        path: The XML file.
        with_boxes: Whether every object needs a box. Default; False: boxes are not looked at;
            None: an object may lack one.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no XML; a name or a corner is missing or empty; a number is none.

    Example:
        >>> read_voc('VOC2007/Annotations/000012.xml')
        VOCAnnotation(size=(500, 333), objects=[VOCObject(name='car', box=(156.0, ...), ...)], ...)
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path}: no such annotation')
    root = read_xml(path)
    filename = (root.findtext('filename') or '').strip().replace('\\', '/').rpartition('/')[2]
    try:
        return VOCAnnotation(size_of(root), objects_of(root, with_boxes), filename)
    except ValueError as error:
        raise ValueError(f'{path}: not a VOC annotation: {error}') from error


def read_voc_split(
    root: str | os.PathLike, split: str, with_boxes: bool | None = True
) -> dict[str, VOCAnnotation]:
    """Annotations of the images of a list, in its order, by id (:func:`read_voc_list`).

    Args:
        root: Folder with ``Annotations`` and ``ImageSets/Main``, such as ``VOCdevkit/VOC2007``.
        split: Name of a list in ``ImageSets/Main``, such as 'trainval'.
        with_boxes: See :func:`read_voc`.

    Raises:
        FileNotFoundError, ValueError: See :func:`read_voc_list` and :func:`read_voc`.
    """
    folder = Path(root, 'Annotations')
    ids = read_voc_list(Path(root, 'ImageSets', 'Main', f'{split}.txt'), folder)
    return {image_id: read_voc(folder / f'{image_id}.xml', with_boxes) for image_id in ids}


def size_of(root: ElementTree.Element) -> tuple[int, int] | None:
    """(width, height) of an annotation; None if one is missing, empty or zero."""
    size = []
    for key in ('width', 'height'):
        text = (root.findtext(f'size/{key}') or '0').strip() or '0'
        number = _number(text, f'size/{key}')
        if number < 0 or number != int(number):
            raise ValueError(f'size/{key} must be a whole number of pixels, got {text!r}')
        size.append(int(number))
    return (size[0], size[1]) if all(size) else None


def objects_of(root: ElementTree.Element, with_boxes: bool | None = True) -> list[VOCObject]:
    """Objects of an annotation, see :func:`read_voc`."""
    nodes = enumerate(root.iterfind('object'), 1)
    return [_object(node, f'object {number}', with_boxes) for number, node in nodes]


def _object(node: ElementTree.Element, which: str, with_boxes: bool | None) -> VOCObject:
    name = (node.findtext('name') or '').strip()
    if not name:
        raise ValueError(f'{which} has no name')
    difficult = (node.findtext('difficult') or '').strip() or '0'
    if difficult not in ('0', '1'):
        raise ValueError(f'{which} ({name}): difficult must be 0 or 1, got {short(difficult)}')
    box = None
    if with_boxes or (with_boxes is None and node.find('bndbox') is not None):
        if node.find('bndbox') is None:
            raise ValueError(f'{which} ({name}) has no bndbox')
        x0, y0, x1, y1 = (
            _number(node.findtext(f'bndbox/{key}') or '', f'{which} ({name}): {key}')
            for key in CORNERS
        )
        box = x0, y0, x1, y1
    return VOCObject(name, box, difficult == '1')


def _number(text: str, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = np.nan
    if not np.isfinite(number):
        raise ValueError(f'{what} must be a number, got {short(text.strip())}')
    return number


def read_voc_list(path: str | os.PathLike, annotations: str | os.PathLike) -> list[str]:
    """Image ids of a list of images: paths below the folder of images, without suffix.

    A line is the id of an image if there is such an annotation (names may have blanks). Otherwise a
    last column -1, 0 or 1, as in the list of a class, and the suffix of an image are no part of it;
    the column is not used.

    Args:
        path: Text file such as ``ImageSets/Main/trainval.txt``.
        annotations: Folder of the annotations.

    Raises:
        FileNotFoundError: There is no such list, or images of it have no annotation.
        ValueError: The list is no utf-8 text, names no image, one twice, or one outside the folder.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such list of image ids')
    lines = [os.path.normpath(li.strip()) for li in read_text(path).split('\n') if li.strip()]
    if not lines:
        raise ValueError(f'{path}: names no image id')
    ids, missing = [], []
    for line in lines:
        names = list(_names(line))
        if problem := problem_of_path(names[-1]):
            raise ValueError(f'{path}: {problem}')
        places = {name: Path(annotations, f'{name}.xml') for name in names}
        ids.append(next((name for name in names if places[name].is_file()), names[-1]))
        if not places[ids[-1]].is_file():
            missing.append(f'{places[ids[-1]]}: no such annotation')
    if missing:
        raise FileNotFoundError(f'{path}: {summary(missing, "problem")}')
    twice = first_repeated(ids)
    if twice is not None:
        raise ValueError(f'{path}: names image {twice!r} twice')
    return ids


def _names(line: str) -> Iterator[str]:
    """What the id of a line may be; the last one if there is no annotation."""
    yield line
    if Path(line).suffix.lower() in SUFFIXES:
        yield str(Path(line).with_suffix(''))
    name, *column = line.rsplit(maxsplit=1)
    if column and column[0] in COLUMN:
        yield from _names(name)
