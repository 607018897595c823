"""COCO annotations."""

import json
import math
import os
import re
from os.path import splitext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from wsl_plugins.files.formats.coco_rows import (
    name_of,
    plain_path,
    problems_of_coco,
    size_of,
)
from wsl_plugins.files.limits import checked_file
from wsl_plugins.files.names import ImageNames, names_of
from wsl_plugins.files.problems import raise_problems
from wsl_plugins.files.text import file_errors, read_json

POLYGONS = re.compile(rb'"segmentation":\s?\[[^"]*[^\s}]\s*\]')
"""A mask of polygons: up to the last bracket before the next text that does not close a list of
objects. No part of a text, where the last quotation mark of it is written ``\\"``."""


class COCOObject(NamedTuple):
    """An annotation.

    Attributes:
        which (str): What an error calls it, such as ``annotation 7``.
        category (int | None): Id of its class.
        box (tuple | None): xyxy, pixels from 0 with exclusive ends; None if it was not asked for.
        crowd (bool): Whether it stands for several objects.
        score (float): NaN if there is none.
    """

    which: str
    category: Any
    box: tuple[float, float, float, float] | None
    crowd: bool
    score: float


class COCOImage(NamedTuple):
    """An image: id, path without ``./``, (width, height) or None if it is missing or zero, its
    objects, and whether it is marked ``corrected`` (:class:`PseudoBoxFile`)."""

    image_id: Any
    file_name: str
    size: tuple[int, int] | None
    objects: list[COCOObject]
    corrected: bool


class COCOFile(NamedTuple):
    """Names of the classes by category id, and the images in the order of the file."""

    classes: dict[Any, str]
    images: list[COCOImage]

    @classmethod
    def load(
        cls, path: str | os.PathLike, with_boxes: bool = True, with_classes: bool = True
    ) -> 'COCOFile':
        """Read and check annotations.

        Args:
            path: The JSON file.
            with_boxes: Whether every annotation needs a ``bbox``. Default; if not, boxes are not
                looked at.
            with_classes: Whether there must be categories, one for every annotation. Default; if
                not, only those that are there are checked.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no COCO file: one error names the first five problems.

        Example:
            >>> COCOFile.load('annotations/instances_val2017.json').images[0].objects[0].box
            (236.98, 142.51, 261.68, 212.01)
        """
        content = read_coco(path)
        with file_errors(path, 'COCO annotations'):
            raise_problems(path, problems_of_coco(content, with_boxes, with_classes))
            return cls._of(content, with_boxes)

    @classmethod
    def _of(cls, content: dict, with_boxes: bool) -> 'COCOFile':
        images = {
            row['id']: COCOImage(
                row['id'],
                plain_path(row['file_name']),
                size_of(row),
                [],
                row.get('corrected') is True,
            )
            for row in content['images']
        }
        for number, row in enumerate(content['annotations']):
            box = None
            if with_boxes:
                x, y, width, height = map(float, row['bbox'])
                box = x, y, x + width, y + height
            score = row.get('score')
            images[row['image_id']].objects.append(
                COCOObject(
                    name_of('annotations', number, row),
                    row.get('category_id'),
                    box,
                    bool(row.get('iscrowd')),
                    math.nan if score is None else float(score),
                )
            )
        classes = {row['id']: row['name'].strip() for row in content.get('categories', [])}
        return cls(classes, list(images.values()))

    def boxes(self) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Of all objects: (N, 4) boxes, (N, 2) size of the image or 0, and what to call them."""
        rows = [(o, image.size or (0, 0)) for image in self.images for o in image.objects]
        boxes = np.array([item.box for item, _ in rows], np.float64).reshape(-1, 4)
        sizes = np.array([size for _, size in rows], np.float64).reshape(-1, 2)
        return boxes, sizes, [item.which for item, _ in rows]


def read_coco(path: str | os.PathLike) -> dict:
    """A COCO annotation file, without masks.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no JSON object with ``images``.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such annotation file')
    data = read_annotations(path, masks=False)
    if not isinstance(data, dict) or 'images' not in data:
        raise ValueError(f'{path}: not a COCO annotation file: no "images"')
    return data


def read_images(
    path: str | os.PathLike,
) -> tuple[ImageNames, dict[str, tuple[float, float]]]:
    """Images of a COCO annotation file, found by ``file_name`` or id, and (width, height) by name,
    in pixels, where the file tells it. Names are those of :func:`names_of`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no COCO annotation file, or two images differ in their suffix only.
    """
    images = read_coco(path)['images']
    with file_errors(path, 'COCO annotations'):
        files = [image['file_name'] for image in images]
        paths = [splitext(file)[0] for file in files]
        names = names_of(paths, files)
        numbers = {str(image['id']): name for image, name in zip(images, names, strict=True)}
        sizes = {
            name: (float(image['width']), float(image['height']))
            for image, name in zip(images, names, strict=True)
            if image.get('width') and image.get('height')
        }
    return ImageNames(paths, names, numbers), sizes


def read_annotations(path: str | os.PathLike, masks: bool) -> Any:
    """Content of a file; without ``masks``, polygons may be left out.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not JSON, or too large.
    """
    if masks:
        return read_json(path)
    try:
        return json.loads(without_polygons(checked_file(path).read_bytes()))
    except (ValueError, RecursionError):
        return read_json(path)


def without_polygons(content: bytes) -> bytes:
    """JSON with ``0`` in the place of masks that are lists of numbers: most of COCO's files.

    Where something else is in such a list, what remains is no JSON.

    Example:
        >>> without_polygons(b'{"segmentation": [[1.5, 2, 3, 4]], "id": 7}')
        b'{"segmentation":0, "id": 7}'
    """
    return POLYGONS.sub(b'"segmentation":0', content)
