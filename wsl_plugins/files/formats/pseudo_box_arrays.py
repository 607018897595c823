"""The boxes of a pseudo box file as arrays, read and checked."""

import math
import os
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wsl_plugins.files import file_errors, read_json_rows, short
from wsl_plugins.files.problems import raise_problems
from wsl_plugins.structures.columns import TextArray, encoded, starts_of

ROUNDING = 1e-3  # pixels by which x + w may pass the border: sums of decimal fractions


@dataclass
class PseudoBoxArrays:
    """What :class:`PseudoBoxFile` holds in dicts, in arrays over N images and M boxes.

    Attributes:
        image_ids (Sequence[str]): Images in the file's order.
        sizes (np.ndarray): (N, 2) int64 width and height.
        rows (np.ndarray): (M,) int64, ascending: the image of each box, by its place.
        boxes (np.ndarray): (M, 4) float64 xyxy, exclusive ends.
        labels (np.ndarray): (M,) int64 class of each box.
        scores (np.ndarray): (M,) float64, NaN where there is no score.
        classes (dict[int, str]): Name of each class.
        info (dict): Method, options, versions, counts.
        corrected (np.ndarray): (N,) bool, whether a person has looked at the boxes of an image.

    Example:
        >>> arrays = PseudoBoxArrays.load('work_dirs/cub_ddt.json')
        >>> arrays.image_ids[arrays.rows[0]], arrays.boxes[0]
        ('001.Black_footed_Albatross/Black_Footed_Albatross_0009_34.jpg', array([ 82., 0., ...]))
    """

    image_ids: Sequence[str]
    sizes: np.ndarray
    rows: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    classes: dict[int, str]
    info: dict
    corrected: np.ndarray

    @classmethod
    def load(cls, path: str | os.PathLike) -> 'PseudoBoxArrays':
        """Read and check a file; errors are those of :meth:`PseudoBoxFile.load`."""
        with file_errors(path, 'file of pseudo boxes'):
            arrays = cls._read(path)
        arrays.check(str(path))
        return arrays

    @classmethod
    def _read(cls, path: str | os.PathLike) -> 'PseudoBoxArrays':
        columns = _Columns()
        content = read_json_rows(path, dict(images=columns.image, annotations=columns.box))
        missing = [key for key in ('images', 'annotations', 'categories') if key not in content]
        if missing:
            raise KeyError(*missing[:1])
        numbers, images = np.asarray(columns.numbers), np.asarray(columns.images)
        by_number = np.argsort(numbers, kind='stable')
        twice = (np.diff(numbers[by_number]) == 0).any()
        names = TextArray.of_bytes(columns.names, columns.ends)
        if twice or _has_twins(names):
            raise ValueError('an image stands there twice')
        unknown = images[~np.isin(images, numbers)]
        if len(unknown):
            raise ValueError(f'a box of unknown image {unknown[0]}')
        rows = by_number[np.searchsorted(numbers, images, sorter=by_number)]
        values = np.asarray(columns.values).reshape(-1, 6)
        if (np.diff(rows) < 0).any():
            order = np.argsort(rows, kind='stable')
            rows, values = rows[order], values[order]
        return cls(
            names,
            np.asarray(columns.sizes).reshape(-1, 2),
            rows,
            values[:, :4],
            values[:, 4].astype(np.int64),
            values[:, 5],
            {int(row['id']): str(row['name']) for row in content['categories']},
            dict(content.get('info', {})),
            np.array(columns.corrected, bool),
        )

    def check(self, name: str) -> None:
        """Raise a ValueError that starts with ``name`` if something is wrong."""
        problems = [
            f'image {self.image_ids[row]!r} has size {tuple(self.sizes[row].tolist())}'
            for row in np.flatnonzero(self.sizes.min(axis=1, initial=1) < 1)
        ]
        sizes = self.sizes[self.rows]
        bad = ~np.isfinite(self.boxes).all(axis=1)
        bad |= (self.boxes[:, 2:] <= self.boxes[:, :2]).any(axis=1)
        bad |= (self.boxes[:, :2] < -ROUNDING).any(axis=1)
        bad |= (self.boxes[:, 2:] > sizes + ROUNDING).any(axis=1)
        unnamed = ~np.isin(self.labels, list(self.classes))
        starts = starts_of(self.rows, len(self.image_ids))
        for row in np.unique(self.rows[bad | unnamed]):
            own = slice(starts[row], starts[row + 1])
            image, size = f'image {self.image_ids[row]!r}', self.sizes[row].tolist()
            boxes, labels = self.boxes[own][bad[own]], self.labels[own][unnamed[own]]
            problems += [f'{image}: {problem_of_box(box, size)}' for box in boxes]
            problems += [f'{image}: class {label} is no category' for label in np.unique(labels)]
        if not self.image_ids:
            problems.append('names no image')
        raise_problems(name, problems)


class _Columns:
    """Takes the rows of a COCO file, so that no dict of a row stays."""

    def __init__(self) -> None:
        self.numbers = array('q')
        self.names = bytearray()
        self.ends = array('q')
        self.sizes = array('q')
        self.corrected = array('b')
        self.images = array('q')
        self.values = array('d')  # x1, y1, x2, y2, class and score of each box

    def image(self, row: dict) -> None:
        self.sizes.extend((int(row['width']), int(row['height'])))
        self.numbers.append(_integer(row, 'id'))
        self.corrected.append(_mark(row))
        self.names += encoded(row['file_name'])
        self.ends.append(len(self.names))

    def box(self, row: dict) -> None:
        x, y, w, h = map(float, row['bbox'])
        label, score = int(row['category_id']), float(row.get('score', math.nan))
        self.values.extend((x, y, x + w, y + h, label, score))
        self.images.append(_integer(row, 'image_id'))


def _has_twins(names: Sequence[str]) -> bool:
    """Whether a name stands there twice; a set of all would need as much as all boxes."""
    hashes = np.fromiter(map(hash, names), np.int64, len(names))
    return len(np.unique(hashes)) < len(names) and len(set(names)) < len(names)


def _mark(row: dict) -> bool:
    """Whether an image is marked as corrected."""
    if isinstance(mark := row.get('corrected', False), bool):
        return mark
    raise ValueError(f'corrected must be true or false, got {short(mark)}')


def _integer(row: dict, key: str) -> int:
    """Number of an image, for an array."""
    if isinstance(row[key], int) and abs(row[key]) < 2**63:
        return row[key]
    raise ValueError(f'{key} must be an integer, got {short(row[key])}')


def problem_of_box(box: np.ndarray, size: tuple[int, int]) -> str | None:
    """What is wrong with a box xyxy in an image of (width, height); None if nothing is."""
    x1, y1, x2, y2 = map(float, box)
    text = f'box {x1:g} {y1:g} {x2:g} {y2:g}'
    if not all(map(math.isfinite, (x1, y1, x2, y2))):
        return f'{text} is not finite'
    if x2 <= x1 or y2 <= y1:
        return f'{text} has no area'
    if min(x1, y1) < -ROUNDING or x2 > size[0] + ROUNDING or y2 > size[1] + ROUNDING:
        return f'{text} leaves its image of {size[0]} x {size[1]} pixels'
    return None
