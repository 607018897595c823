"""Boxes of masks: arrays, COCO's run lengths, polygons."""

import re
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from wsl_plugins.files.text import short

PIXELS = 2**28
"""Of a mask that is read from run lengths, at most."""
_RUNS = re.compile(rb'([P-o]{0,6}[0-O])+')
"""COCO's compressed counts: pycocotools reads on behind a text that ends within a number."""


def boxes_of_masks(masks: Any) -> np.ndarray:
    """The smallest boxes that hold all pixels of the masks.

    Args:
        masks: (M, H, W), or a list of M (H, W): bool, or numbers of which one beside 0 stands for
            the object. No masks are any empty array.

    Returns:
        (M, 4) int64 xyxy pixels, x2 and y2 exclusive: a mask of the single pixel (x, y) has the box
        (x, y, x + 1, y + 1). A mask without pixels has the box (0, 0, 0, 0).

    Raises:
        ValueError: Another shape, or values that are no masks.

    Example:
        >>> mask = np.zeros((1, 5, 6), bool)
        >>> mask[0, 1:3, 2:5] = True
        >>> boxes_of_masks(mask)
        array([[2, 1, 5, 3]])
    """
    array: np.ndarray = np.asarray(masks)
    if array.size == 0:
        return np.zeros((len(array) if array.ndim == 3 else 0, 4), np.int64)
    if array.ndim != 3 or array.dtype.kind not in 'buif':
        raise ValueError(f'masks must be (M, H, W), got shape {array.shape} of {array.dtype}')
    if array.dtype != bool:
        one = array.max()
        if not ((array == 0) | (array == one)).all() or one < 0:
            raise ValueError(
                'masks must be bool, or have one value beside 0, got values from '
                f'{array.min():.4g} to {one:.4g}'
            )
        array = array.astype(bool)
    edges = []
    for axis in (1, 2):  # of what is left: columns, then rows
        some = np.asarray(array.any(axis=axis))
        far = (some.shape[1] - some[:, ::-1].argmax(axis=1)) * some.any(axis=1)
        edges.append((some.argmax(axis=1), far))
    (x1, x2), (y1, y2) = edges
    return np.stack([x1, y1, x2, y2], axis=1)


def box_of_segmentation(segmentation: Any) -> tuple[np.ndarray, tuple[int, int] | None]:
    """The box of what COCO calls a segmentation.

    Args:
        segmentation: ``{size: [height, width], counts}``, run lengths as a list or compressed; or a
            list of polygons ``[x1, y1, x2, y2, ...]`` in pixels.

    Returns:
        (4,) float64 xyxy pixels, x2 and y2 exclusive, see :func:`boxes_of_masks`; of polygons the
        smallest and largest coordinates, as COCO's ``bbox``. And (width, height) of the mask, None
        for polygons.

    Raises:
        ValueError: It is neither, or damaged.

    Example:
        >>> box_of_segmentation({'size': [3, 4], 'counts': [3, 4, 5]})
        (array([1., 0., 3., 3.]), (4, 3))
    """
    if isinstance(segmentation, dict) and {'size', 'counts'} <= segmentation.keys():
        mask = _mask_of(segmentation)
        return boxes_of_masks(mask[None])[0].astype(np.float64), mask.shape[::-1]
    if not isinstance(segmentation, list):
        raise ValueError(
            f'a segmentation is neither run lengths nor polygons: {short(segmentation)}'
        )
    try:
        points = [np.array(polygon, np.float64).reshape(-1, 2) for polygon in segmentation]
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f'polygons must be lists of x, y: {short(segmentation)}') from error
    joined = np.concatenate([np.zeros((0, 2)), *points])
    if not len(joined):
        return np.zeros(4), None
    return np.concatenate([joined.min(axis=0), joined.max(axis=0)]), None


def _mask_of(runs: dict) -> np.ndarray:
    """(H, W) bool of run lengths that fill it to the last pixel."""
    size, counts = runs['size'], runs['counts']
    sides = isinstance(size, (list, tuple)) and len(size) == 2
    if not sides or any(type(side) is not int or side < 1 for side in size):
        raise ValueError(f'the size of a mask must be [height, width], got {short(size)}')
    height, width = size
    if height * width > PIXELS:
        raise ValueError(f'a mask of {width} x {height} pixels, at most {PIXELS} pixels are read')
    try:
        if isinstance(counts, list):
            if any(type(count) is not int or count < 0 for count in counts):
                raise ValueError('they must be numbers of pixels')
            if sum(counts) != height * width:
                raise ValueError(f'they are {sum(counts)} pixels')
            packed = coco_mask.frPyObjects(runs, height, width)
        else:
            text = counts.encode() if isinstance(counts, str) else counts
            if not isinstance(text, bytes) or not _RUNS.fullmatch(text):
                raise ValueError('they are not as COCO compresses them')
            packed = dict(size=[height, width], counts=text)
        mask = coco_mask.decode(packed)
        if not isinstance(counts, list) and coco_mask.encode(mask)['counts'] != text:
            raise ValueError('they are not the shortest ones that fill it')
    except (TypeError, ValueError) as error:
        raise ValueError(
            f'counts {short(counts)} of a mask of {width} x {height} pixels: {error}'
        ) from error
    return mask.view(bool)
