"""Threshold of a score map, largest connected component, and its box in the image.

All boxes are xyxy pixels of the original image from 0 with exclusive ends (width = x2 - x1).
"""

import numpy as np
from scipy import ndimage

CONNECTIVITIES = {4: ndimage.generate_binary_structure(2, 1), 8: np.ones((3, 3), dtype=bool)}


def check_threshold(threshold: float | None) -> None:
    """Raise ValueError if a threshold of score maps is neither None nor in [0, 1)."""
    if threshold is not None and not 0 <= threshold < 1:
        raise ValueError(f'threshold of score maps must be in [0, 1), got {threshold}')


def above_threshold(score_map: np.ndarray, threshold: float | None = None) -> np.ndarray:
    """Cells of a score map that belong to the object.

    Args:
        score_map (np.ndarray): (h, w) in [0, 1].
        threshold (float, optional): Cells above it are taken; in [0, 1). Defaults to None: the mean
            of this map, as Wei et al., "Selective Convolutional Descriptor Aggregation", TIP 2017,
            take that of the sum of all channels. One number does not serve several networks, see
            ``docs/inference.md``.

    Returns:
        np.ndarray: (h, w) bool, all false if the map is constant and no threshold is given.

    Raises:
        ValueError: ``threshold`` is out of range.

    Example:
        >>> above_threshold(np.array([[0.0, 0.2, 1.0]]))
        array([[False, False,  True]])
    """
    check_threshold(threshold)
    if threshold is None:
        # the mean of a constant map may be rounded to less than its value
        threshold = max(score_map.mean(), score_map.min())
    return score_map > threshold


def largest_component(mask: np.ndarray, connectivity: int = 8) -> np.ndarray:
    """The connected component with most cells.

    Of several with as many cells it is the one that comes first in row-major order, by its first
    cell.

    Args:
        mask (np.ndarray): (h, w) bool.
        connectivity (int): 8 (cells that touch at a corner belong together) or 4 (at a side
            only). Defaults to 8.

    Returns:
        np.ndarray: (h, w) bool, all false if ``mask`` is.

    Raises:
        ValueError: ``connectivity`` is neither 4 nor 8.

    Example:
        >>> largest_component(np.array([[1, 0, 0], [0, 0, 1], [0, 0, 1]], bool)).astype(int)
        array([[0, 0, 0],
               [0, 0, 1],
               [0, 0, 1]])
    """
    if connectivity not in CONNECTIVITIES:
        raise ValueError(f'connectivity must be 4 or 8, got {connectivity}')
    labels, _ = ndimage.label(mask, CONNECTIVITIES[connectivity])
    cells = np.bincount(labels.ravel())
    cells[0] = 0
    if not cells.any():
        return np.zeros(mask.shape, dtype=bool)
    first = (cells == cells.max())[labels].argmax()
    return labels == labels.flat[first]


def mask_box(mask: np.ndarray, image_size: tuple[int, int]) -> np.ndarray | None:
    """Box around the cells of a mask after nearest upsampling to the image.

    Pixel x of an image of width W shows column ``floor(x w / W)`` of a map of width w. So columns
    a to b - 1 cover the pixels ``ceil(a W / w)`` to ``ceil(b W / w) - 1``. In an image smaller than
    the map a cell may cover no pixel; a box is at least one pixel wide and high.

    Args:
        mask (np.ndarray): (h, w) bool.
        image_size (tuple[int, int]): (width, height) of the image.

    Returns:
        np.ndarray | None: (4,) float64 xyxy; None if ``mask`` is all false.

    Example:
        >>> mask_box(np.array([[0, 0, 0], [0, 0, 1]], bool), (10, 10))
        array([ 7.,  5., 10., 10.])
    """
    if not mask.any():
        return None
    sides = []
    for axis, pixels in zip((0, 1), image_size, strict=True):
        found = np.flatnonzero(mask.any(axis=axis))
        count = mask.shape[1 - axis]
        start = min(-(-int(found[0]) * pixels // count), pixels - 1)
        end = max(-(-(int(found[-1]) + 1) * pixels // count), start + 1)
        sides.append((start, end))
    (x1, x2), (y1, y2) = sides
    return np.array([x1, y1, x2, y2], dtype=np.float64)


def component_box(
    mask: np.ndarray, image_size: tuple[int, int], connectivity: int = 8
) -> tuple[np.ndarray, bool]:
    """Box of the largest component; the whole image if there is none.

    Args:
        mask (np.ndarray): (h, w) bool, what is above the threshold.
        image_size (tuple[int, int]): (width, height) of the image.
        connectivity (int): See :func:`largest_component`. Defaults to 8.

    Returns:
        tuple[np.ndarray, bool]: (4,) float64 xyxy, and whether ``mask`` was empty.
    """
    box = mask_box(largest_component(mask, connectivity), image_size)
    if box is None:
        return np.array([0, 0, *image_size], dtype=np.float64), True
    return box, False
