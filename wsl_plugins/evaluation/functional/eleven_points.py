"""Average precision of VOC 2007."""

import numpy as np


def eleven_points(recalls: np.ndarray, precisions: np.ndarray, num_objects: int) -> float:
    """Mean of the best precision at a recall of at least 0, 0.1, ..., 1 (Everingham et al., IJCV
    2010, eq. 1).

    Levels are compared in whole numbers: n detected objects reach level i where 10 n >= i N. With
    floating-point numbers, recall 3 / 10 is below the level 3 * 0.1 = 0.30000000000000004, 6 / 10
    and 7 / 10 likewise (py-faster-rcnn, and mmdet 3.5.1 with NumPy 2; the development kit, in
    MATLAB, makes the levels from both ends and misses 3 / 10 only).

    Args:
        recalls: (D,) detected objects over N, after each detection by descending score.
        precisions: (D,) detected objects over detections.
        num_objects: N, without those that are ignored.

    Returns:
        A number in 0..1; 0 if there is no object.

    Example:
        >>> recalls = np.arange(1, 8) / 10
        >>> round(11 * eleven_points(recalls, np.ones(7), 10))
        8
    """
    detected = np.rint(recalls * num_objects)
    best = [precisions[10 * detected >= level * num_objects].max(initial=0) for level in range(11)]
    return float(np.mean(best)) if num_objects else 0.0
