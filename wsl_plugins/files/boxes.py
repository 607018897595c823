"""Boxes of any file: whether they can be pixels."""

import numpy as np

_FRACTION, PERCENT = 1.5, 101.0  # a box of a model may end a little outside of its image
_SIDE, _FEWEST = 200, 10  # of images, and of boxes: below, percents may well be pixels


def problem_of_scale(boxes: np.ndarray, sizes: np.ndarray | None = None) -> str | None:
    """Why boxes are no pixels: all of them lie in 0..1, or in 0..100 of large images.

    Args:
        boxes: (R, 4) all boxes of a file as they stand in it (before a "+1"), x y x y or x y w h.
        sizes: (R, 2) width and height of the image of each box, in pixels. Default: unknown, then
            percents are not told from pixels.

    Returns:
        The reason, without the file's name; None if they can be pixels, or there are none.

    Example:
        >>> problem_of_scale(np.array([[0.1, 0.2, 0.5, 0.9]]))
        "all boxes lie in 0..1 (largest coordinate: 0.9), pixels are expected: ..."
        >>> problem_of_scale(np.array([[0, 0, 1, 1], [10, 20, 50, 90]])) is None
        True
    """
    largest = float(np.abs(boxes).max(initial=0))
    large_images = sizes is not None and np.min(sizes, initial=_SIDE) >= _SIDE
    if 0 < largest <= _FRACTION:
        scale, factor = '0..1', "the image's width and height"
    elif _FRACTION < largest <= PERCENT and len(boxes) >= _FEWEST and large_images:
        scale, factor = '0..100 (percent)', "a hundredth of the image's width and height"
    else:
        return None
    return (
        f'all boxes lie in {scale} (largest coordinate: {largest:.4g}), pixels are expected: '
        f'multiply x and y by {factor}'
    )
