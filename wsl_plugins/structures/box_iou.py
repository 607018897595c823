"""Intersection over union of boxes in NumPy."""

import numpy as np


def box_ious(boxes: np.ndarray, others: np.ndarray, plus_one: bool = False) -> np.ndarray:
    """IoU of every box with every other one; 0 for boxes without area.

    mmdet's ``bbox_overlaps`` and torchvision's ``box_iou`` compute in the type they are given.

    Args:
        boxes: (N, 4) xyxy pixels.
        others: (K, 4) xyxy pixels.
        plus_one: Whether x2 and y2 are inside, so that width = x2 - x1 + 1. Default False: they are
            the exclusive ends.

    Returns:
        (N, K) float64.

    Example:
        >>> box_ious(np.array([[0, 0, 9, 9]]), np.array([[0, 0, 9, 6], [9, 0, 12, 9]]))
        array([[0.66666667, 0.        ]])
    """
    boxes, others = np.asarray(boxes, np.float64), np.asarray(others, np.float64)
    starts = np.maximum(boxes[:, None, :2], others[:, :2])
    ends = np.minimum(boxes[:, None, 2:], others[:, 2:])
    overlap = np.clip(ends - starts + plus_one, 0, None).prod(axis=2)
    area, other_area = (np.prod(b[:, 2:] - b[:, :2] + plus_one, axis=1) for b in (boxes, others))
    union = area[:, None] + other_area - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
