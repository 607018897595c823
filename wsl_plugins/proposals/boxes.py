"""Canonical form of the proposals of one image."""

import numpy as np


def canonicalise(
    boxes: np.ndarray,
    scores: np.ndarray | None = None,
    size: tuple[int, int] | None = None,
    min_side: float = 0,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Clip, drop small boxes, drop repeats and sort.

    The order of the rows then says nothing about how they were made: lexicographic by
    (x1, y1, x2, y2), or, with scores, by falling score and equal scores lexicographically. Of equal
    boxes the one with the highest score stays. Boxes without area are dropped.

    Args:
        boxes: (R, 4) xyxy pixels, x2 and y2 exclusive.
        scores: (R,) higher is better. Default: none.
        size: (width, height) of the image to clip to, pixels. Default: no clipping.
        min_side: Width and height must both be at least this, pixels, after clipping. Default: 0.

    Returns:
        Boxes (R', 4) in the given dtype, and scores (R',) or None.

    Example:
        >>> canonicalise(np.array([[5, 0, 30, 30], [0, 0, 9, 40], [5, 0, 30, 30]]), min_side=10)
        (array([[ 5,  0, 30, 30]]), None)
    """
    boxes = np.asarray(boxes).reshape(-1, 4)
    if size is not None:
        boxes = np.clip(boxes, 0, np.array([*size, *size], dtype=boxes.dtype))
    sides = boxes[:, 2:].astype(np.float64) - boxes[:, :2]
    keep = ((sides > 0) & (sides >= min_side)).all(axis=1)
    boxes = boxes[keep]
    if scores is None:
        return np.unique(boxes, axis=0), None
    scores = np.asarray(scores)[keep]
    best_first = np.lexsort((*boxes.T[::-1], -scores))
    _, first = np.unique(boxes[best_first], axis=0, return_index=True)
    rows = best_first[np.sort(first)]
    return boxes[rows], scores[rows]
