"""Boxes of annotations: which are refused, clipped and left out, the same for every reader."""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from wsl_plugins.files.boxes import problem_of_scale
from wsl_plugins.files.problems import raise_problems

BORDER = 1  # pixels by which a box may leave its image: data sets round differently
SIDE = 1  # pixels: what is smaller in its image is no object, as in mmdet
ROUNDING = 1e-6  # pixels: (x + 1) - x is not always 1
CLIPPED = 'boxes that left their image, clipped'
LOST = 'boxes without a pixel in their image, left out'


class FittedBoxes(NamedTuple):
    """Boxes inside their images.

    Attributes:
        boxes (np.ndarray): (N, 4) float64 xyxy, clipped.
        good (np.ndarray): (N,) bool, whether a pixel is left in each direction.
        notes (Counter): :data:`CLIPPED` and :data:`LOST` to their numbers, if there are any.
    """

    boxes: np.ndarray
    good: np.ndarray
    notes: Counter


def fit_boxes(
    boxes: np.ndarray,
    sizes: np.ndarray,
    where: object,
    name_of: Callable[[int], str],
    scaled: bool = False,
) -> FittedBoxes:
    """Clip the annotated boxes of all images, and find those without a pixel.

    A box that ends before it begins has none. A box that leaves its image by no more than
    :data:`BORDER` is clipped without being counted.

    Args:
        boxes: (N, 4) xyxy, pixels from 0 with exclusive ends.
        sizes: (N, 2) width and height of the image of each box; 0 where they are not known.
        where: The file, for messages.
        name_of: What an error calls the box of a row, such as ``annotation 7``.
        scaled: Whether the file's format leaves no doubt about their unit: then all of them may be
            small. Default False.

    Raises:
        ValueError: Boxes are not finite; all are in 0..1 or in percent; most leave their image, or
            none has a pixel in it: they are of other images or in another order.

    Example:
        >>> boxes, sizes = np.array([[-9, 5, 30, 25], [2, 3, 9, 8]]), np.array([[60, 40]] * 2)
        >>> fit_boxes(boxes, sizes, 'a.json', str).boxes
        array([[ 0.,  5., 30., 25.],
               [ 2.,  3.,  9.,  8.]])
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    sizes = np.asarray(sizes, np.float64).reshape(-1, 2)
    bad = np.flatnonzero(~np.isfinite(boxes).all(axis=1))
    raise_problems(where, [f'{name_of(i)}: box {boxes[i].tolist()} is not finite' for i in bad])
    if not scaled and (problem := problem_of_scale(boxes, sizes)):
        raise ValueError(f'{where}: {problem}')
    limits = np.tile(np.where(sizes > 0, sizes, np.inf), 2)
    leaves = ((boxes < -BORDER) | (boxes > limits + BORDER)).any(axis=1)
    fitted = np.clip(boxes, 0, limits)
    good = np.all(fitted[:, 2:] - fitted[:, :2] >= SIDE - ROUNDING, axis=1)
    for wrong, most, what in (
        (~good, len(boxes) - 1, 'have no pixel in their image'),
        (leaves, len(boxes) / 2, 'leave their image'),
    ):
        if len(boxes) and wrong.sum() > most:
            first = int(wrong.argmax())
            width, height = sizes[first].astype(int).tolist()
            raise ValueError(
                f'{where}: {wrong.sum()} of {len(boxes)} boxes {what}: are they of another size? '
                f'The first: {name_of(first)}, {boxes[first].tolist()} (x1, y1, x2, y2 from 0) in '
                f'{width} x {height} pixels (width x height)'
            )
    notes = Counter({CLIPPED: int((leaves & good).sum()), LOST: int((~good).sum())})
    return FittedBoxes(fitted, good, +notes)
