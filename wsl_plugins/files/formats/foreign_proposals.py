"""Proposals of other projects, as they stand in their files, and what they mean.

===============================================  ===========  ===========  =========  ==============
source                                           coordinates  first pixel  x2, y2     scores
===============================================  ===========  ===========  =========  ==============
Fast R-CNN, EdgeBoxes ``.mat``                   y1 x1 y2 x2  1            inclusive  ``boxScores``
MCG, a folder of one ``.mat`` per image          y1 x1 y2 x2  1            inclusive  ``scores``
``{boxes, indexes, scores}``                     x1 y1 x2 y2  0            inclusive  ``scores``
detectron2 ``{boxes, ids, objectness_logits}``   ``bbox_mode``             exclusive  the logits
COCO ``[{image_id, bbox, score}]``               x y w h      0            x + w      ``score``
mmdet ``{parent/file: {bboxes, scores}}``        x1 y1 x2 y2  0            exclusive  ``scores``
SAM ``[{bbox, predicted_iou}]``, without masks   x y w h      0            inclusive  that IoU
masks, of any source                             of their own pixels                  see the reader
===============================================  ===========  ===========  =========  ==============

Ours are xyxy pixels from 0, x2 and y2 exclusive (width = x2 - x1). So a ``.mat`` row
(1, 1, 10, 20), 20 pixels wide and 10 high, becomes (0, 0, 20, 10).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wsl_plugins.files import check_bytes, short
from wsl_plugins.files.boxes import PERCENT, problem_of_scale
from wsl_plugins.files.limits import ARRAYS
from wsl_plugins.files.names import ImageNames, bare, check_once, names_of

ENDS = ('inclusive', 'exclusive')
_SEQUENCES = (list, tuple, np.ndarray)


@dataclass
class ForeignProposals:
    """What a file of another project holds.

    Attributes:
        path: The file.
        kind: Its format, as ``meta`` of the result calls it.
        columns: Order of the coordinates: 'yxyx', 'xyxy' or 'xywh'.
        first: Number of the first pixel, 0 or 1.
        end: What x2 and y2 (or x + w and y + h) are: 'inclusive' or 'exclusive'.
        scores_from: Name of the scores; None if the file has none.
        boxes_from: Name of what the boxes are read from, where the file has masks, too.
        masked: Whether boxes are made of masks: then ``end`` is 'exclusive', whatever a user says.
        empty_masks: How many masks had no pixel; they are left out.
        not_read: Names of what else the file has.
        images: What the file calls each image.
        boxes: (R, 4) float64 of each image, as they stand in the file.
        scores: (R,) float64 of each image; empty without ``scores_from``.
        sizes: (width, height) of the masks of an image, in pixels, by its place in ``images``.
    """

    path: Path
    kind: str
    columns: str
    first: int
    end: str
    scores_from: str | None = None
    boxes_from: str | None = None
    masked: bool = False
    empty_masks: int = 0
    not_read: list[str] = field(default_factory=list)
    images: list[Any] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)
    scores: list[np.ndarray] = field(default_factory=list)
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)

    def add(self, image: object, boxes: object, scores: object = None) -> None:
        """Add an image.

        Raises:
            ValueError: Boxes or scores are no numbers, or not one per box; some images have scores
                and some have none.
        """
        image = image.item() if isinstance(image, np.generic) else image
        image = int(image) if isinstance(image, float) and image.is_integer() else image
        array = _boxes(boxes, self.path, image)
        if (scores is None) != (self.scores_from is None):
            raise ValueError(f'{self.path}: some images have scores and some have none')
        if scores is not None:
            self.scores.append(self._scores(scores, len(array), image))
        self.images.append(image)
        self.boxes.append(array)

    def add_masks(
        self, image: object, boxes: np.ndarray, scores: object, sizes: set[tuple[int, int]]
    ) -> None:
        """Add an image by the boxes (R, 4) of its masks; those without an area are counted.

        Args:
            image: See :meth:`add`.
            boxes: (R, 4) float64.
            scores: (R,), or None.
            sizes: (width, height) of each mask, in pixels; empty if unknown.

        Raises:
            ValueError: See :meth:`add`, or the masks differ in size.
        """
        if len(sizes) > 1:
            raise ValueError(f'{self.path}: masks of image {short(image)} differ in size: {sizes}')
        self.sizes |= {len(self.images): size for size in sizes}
        self.add(image, boxes, scores)
        empty = (boxes[:, 2:] <= boxes[:, :2]).any(axis=1)
        self.empty_masks += int(empty.sum())
        self.boxes[-1] = self.boxes[-1][~empty]
        if scores is not None:
            self.scores[-1] = self.scores[-1][~empty]

    def _scores(self, values: object, number: int, image: object) -> np.ndarray:
        """(number,) float64; a column or a row will do."""
        try:
            _check_rows(values)
            scores = np.asarray(values, dtype=np.float64)
        except (OverflowError, TypeError, ValueError) as error:
            raise ValueError(
                f'{self.path}: scores of image {short(image)} are no numbers: {error}'
            ) from error
        if scores.size != number:
            raise ValueError(
                f'{self.path}: image {short(image)} has {number} boxes but {scores.size} scores '
                f'({self.scores_from}, shape {scores.shape})'
            )
        return scores.ravel()

    def names(self, known: ImageNames | None, source: object = None) -> list[str]:
        """Our name of each image.

        Args:
            known: The images that they are among. Default: unknown; then ids must be file names.
            source: The file of ``known``, if an image that it lacks is an error. Default: none.

        Raises:
            ValueError: An image is a number and ``known`` is not given; it is not in ``source``; or
                two have one name.
        """
        if known is None:
            for image in self.images:
                if not isinstance(image, str):
                    raise ValueError(
                        f'{self.path}: image id {short(image)} is a number, not a file name: give '
                        'the annotation file (--ann) or the list of ids (--ids-file) that tells '
                        'the file names'
                    )
            paths = [bare(image) for image in self.images]
            self._check_once(paths)
            return names_of(paths)
        names = [_known_name(image, known, source) for image in self.images]
        self._check_once(names)
        return names

    def _check_once(self, names: list[str]) -> None:
        places = [f'{short(image)} (place {n})' for n, image in enumerate(self.images, 1)]
        try:
            check_once(names, places)
        except ValueError as error:
            raise ValueError(f'{self.path}: {error}') from error

    def check_scale(self, sizes: np.ndarray | None = None) -> None:
        """Raise ValueError if all boxes are fractions, or percents of images of known sizes.

        Args:
            sizes: (images, 2) width and height, in pixels. Default: unknown.
        """
        if any(np.abs(boxes).max(initial=0) > PERCENT for boxes in self.boxes):
            return  # without a copy of all
        joined = np.concatenate([np.zeros((0, 4)), *self.boxes])
        if sizes is not None:
            sizes = np.repeat(sizes, list(map(len, self.boxes)), axis=0)
        if problem := problem_of_scale(joined, sizes):
            raise ValueError(f'{self.path}: {problem}')

    def corners(self, number: int) -> np.ndarray:
        """(R, 4) float64 boxes of an image in our convention."""
        boxes = self.boxes[number]
        if self.columns == 'yxyx':
            boxes = boxes[:, [1, 0, 3, 2]]
        elif self.columns == 'xywh':
            boxes = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
        return boxes + (np.array([0, 0, 1, 1]) * (self.end == 'inclusive') - self.first)


def check_total(values: Iterable[Any], path: Path) -> None:
    """What all images have together: one array may stand for many of them."""
    sizes = (4 * len(v) if isinstance(v, (list, tuple)) else np.size(v) for v in values)
    check_bytes(path, 8 * sum(sizes), ARRAYS)


def _known_name(image: object, known: ImageNames, source: object) -> str:
    name = known.find(bare(image)) if isinstance(image, str) else None
    if name is None:
        name = known.numbers.get(str(image))
    if name is None and source is not None:
        raise ValueError(f'image id {short(image)} is not in {source}')
    return name or bare(str(image))


def _boxes(values: object, path: Path, image: object) -> np.ndarray:
    """(R, 4) float64."""
    try:
        _check_rows(values)
        boxes = np.array(values, dtype=np.float64)
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError(
            f'{path}: boxes of image {short(image)} are no numbers: {error}'
        ) from error
    if boxes.size == 0:
        return np.zeros((0, 4))
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f'{path}: boxes of image {short(image)} must be (R, 4), got {boxes.shape}')
    return boxes


def _check_rows(rows: object) -> None:
    """Lists must be rows of few numbers: those that hold each other can stand for any size."""
    for row in rows if isinstance(rows, (list, tuple)) else ():
        if isinstance(row, _SEQUENCES):
            if len(row) > 4:
                raise ValueError(f'a row has {len(row)} numbers')
            if any(isinstance(value, _SEQUENCES) for value in row):
                raise ValueError('a row holds lists')
