"""Intersection over union of boxes with exclusive ends."""

import numpy as np


def box_ious(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N, K) float64 IoU of boxes (N, 4) and (K, 4): xyxy pixels, no "+1"; 0 for boxes without
    area.

    mmdet's ``bbox_overlaps`` computes in float32.

    Example:
        >>> box_ious(np.array([[0, 0, 9, 9]]), np.array([[0, 0, 9, 6], [9, 0, 12, 9]]))
        array([[0.66666667, 0.        ]])
    """
    boxes, others = np.asarray(boxes, np.float64), np.asarray(others, np.float64)
    starts = np.maximum(boxes[:, None, :2], others[:, :2])
    ends = np.minimum(boxes[:, None, 2:], others[:, 2:])
    overlap = np.clip(ends - starts, 0, None).prod(axis=2)
    area, other_area = (np.prod(b[:, 2:] - b[:, :2], axis=1) for b in (boxes, others))
    union = area[:, None] + other_area - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
