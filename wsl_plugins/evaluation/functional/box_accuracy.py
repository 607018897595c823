"""Box accuracy of score maps: BoxAcc and MaxBoxAcc, both versions.

Choe et al., "Evaluating Weakly Supervised Object Localization Methods Right", CVPR 2020, equation
3, and version 2 of their extended paper (arXiv 2007.04178). The numbers are those of the published
evaluator: its conventions are kept, and only levels that differ are evaluated.

A map s (H, W) in [0, 1] becomes bytes, ``uint8(255 s)``. A threshold t keeps the pixels with
``byte > int(t * largest byte)``. Every contour (outer or of a hole) gives a box xyxy with
``x1 = min(x + width, W - 1)``; without a contour the box is (0, 0, 0, 0). IoU counts pixels with
inclusive ends ("+1"). Objects' boxes are brought to the map's size by truncation.

- Version 1, BoxAcc: box of the contour of largest area, right at IoU >= 0.5 with any object.
- Version 2, BoxAccV2: right if the box of any contour reaches IoU delta with any object; mean over
  delta = 0.3, 0.5, 0.7.
- MaxBoxAcc is BoxAcc at the best threshold, **one** for the whole data set; in version 2 one per
  delta.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from wsl_plugins.structures.box_iou import box_ious

THRESHOLDS = np.arange(0, 1, 0.001)
"""(1000,) thresholds of the published evaluator."""
DELTAS = (0.3, 0.5, 0.7)
"""IoU of version 2."""
CURVES = ('BoxAcc', *(f'BoxAccV2_{100 * delta:.0f}' for delta in DELTAS))
"""Names of the four accuracies: version 1, version 2 per delta."""


def resize_boxes(
    boxes: np.ndarray, image_size: tuple[int, int], map_size: tuple[int, int] = (224, 224)
) -> np.ndarray:
    """Boxes (K, 4) xyxy of an image of (width, height) to a map of (width, height), truncated.

    Returns:
        (K, 4) int64.

    Example:
        >>> resize_boxes(np.array([[1, 2, 4, 3]]), (10, 20), (35, 10))
        array([[ 3,  1, 14,  1]])
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    return (boxes * (map_size * 2) / (tuple(image_size) * 2)).astype(np.int64)


def level_boxes(
    image: np.ndarray, levels: Sequence[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes of the contours around ``image > level``, for every level.

    Each level is searched only inside the bounding box of the pixels above the level before: all
    other pixels are background, as are those outside an image, so that contours and their order
    are those of the whole image.

    Args:
        image: (H, W) uint8.
        levels: L levels in rising order.

    Returns:
        Boxes (N, 4) int64 xyxy of all levels, level after level; the first index (L,) of each
        level; index (L,) of each level's box of largest contour area (the first among equals).
    """
    height, width = image.shape
    rects: list[Sequence[int]] = []
    firsts, largest = [], []
    x0, y0, x1, y1 = 0, 0, width, height  # exclusive ends
    for level in levels:
        firsts.append(len(rects))
        largest.append(len(rects))
        mask = (image[y0:y1, x0:x1] > level).view(np.uint8)
        contours, _ = cv2.findContours(
            mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE, offset=(x0, y0)
        )
        if not contours:
            rects.append((0, 0, 0, 0))
            continue
        own = [cv2.boundingRect(contour) for contour in contours]
        rects += own
        if len(own) > 1:
            areas = [cv2.contourArea(contour) for contour in contours]
            largest[-1] += areas.index(max(areas))
        x0, y0 = min(rect[0] for rect in own), min(rect[1] for rect in own)
        x1, y1 = max(rect[0] + rect[2] for rect in own), max(rect[1] + rect[3] for rect in own)
    boxes = np.array(rects)
    boxes[:, 2:] = np.minimum(boxes[:, :2] + boxes[:, 2:], (width - 1, height - 1))
    return boxes, np.array(firsts), np.array(largest)


def threshold_ious(
    score_map: np.ndarray,
    gt_boxes: np.ndarray,
    thresholds: np.ndarray | Sequence[float] = THRESHOLDS,
) -> np.ndarray:
    """IoU of a map's boxes with the object they fit best, at every threshold.

    Args:
        score_map: (H, W) float in [0, 1].
        gt_boxes: (K, 4) int xyxy of the objects, K >= 1, in pixels of the map (see
            :func:`resize_boxes`).
        thresholds: T numbers in [0, 1), in any order. Default: :data:`THRESHOLDS`.

    Returns:
        (2, T) float64: of the largest contour (version 1), and the best of all contours (version
        2).

    Raises:
        ValueError: There is no object, or the map leaves [0, 1] or holds NaN.

    Example:
        >>> threshold_ious(np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0.5]]),
        ...                np.array([[1, 1, 2, 2]]), (0.2, 0.7))
        array([[1., 1.],
               [1., 1.]])
    """
    if len(gt_boxes) == 0:
        raise ValueError('box accuracy of an image without any box of an object')
    if not (score_map.min() >= 0 and score_map.max() <= 1):
        raise ValueError('box accuracy needs score maps in [0, 1]: normalise them first')
    image = (np.asarray(score_map, dtype=np.float64) * 255).astype(np.uint8)
    # as the published evaluator computes them: a product of float64, truncated
    wanted = (np.asarray(thresholds, dtype=np.float64) * np.float64(image.max())).astype(np.int64)
    values = np.flatnonzero(np.bincount(image.ravel(), minlength=256))
    steps = np.searchsorted(values, wanted, side='right') - 1  # -1: below every value
    steps, inverse = np.unique(steps, return_inverse=True)
    boxes, firsts, largest = level_boxes(
        image, [int(values[step]) if step >= 0 else -1 for step in steps]
    )
    ious = box_ious(boxes, gt_boxes, plus_one=True).max(axis=1)
    return np.stack([ious[largest], np.maximum.reduceat(ious, firsts)])[:, inverse]


def box_hits(ious: np.ndarray) -> np.ndarray:
    """(4, T) bool, rows as :data:`CURVES`, from the IoUs (2, T) of :func:`threshold_ious`."""
    return np.stack([ious[0] >= 0.5, *(ious[1] >= delta for delta in DELTAS)])


def hits_at(score_map: np.ndarray, gt_boxes: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """(4,) bool as :data:`CURVES`, each at its own one of four thresholds."""
    return box_hits(threshold_ious(score_map, gt_boxes, thresholds)).diagonal()


def box_acc(accuracies: np.ndarray) -> dict[str, float]:
    """Names of four accuracies (4,) in percent, rows as :data:`CURVES`, and ``BoxAccV2``."""
    first, *second = (float(value) for value in accuracies)
    names = dict(zip(CURVES[1:], second, strict=True))
    return {'BoxAcc': first, 'BoxAccV2': float(np.average(second)), **names}


def max_box_acc(curves: np.ndarray, thresholds: np.ndarray = THRESHOLDS) -> dict[str, float]:
    """MaxBoxAcc and MaxBoxAccV2 with their thresholds (the first of the best ones).

    Args:
        curves: (4, T) accuracy in percent at each threshold, rows as :data:`CURVES`.
        thresholds: (T,) of the curves. Default: :data:`THRESHOLDS`.

    Returns:
        ``MaxBoxAcc``, ``MaxBoxAccV2`` (mean over delta), ``MaxBoxAccV2_30``, ``_50``, ``_70`` in
        percent, and each one's ``*_threshold`` but for the mean.
    """
    best = curves.argmax(axis=1)
    result = {f'Max{name}': value for name, value in box_acc(curves.max(axis=1)).items()}
    for name, index in zip(CURVES, best, strict=True):
        result[f'Max{name}_threshold'] = float(thresholds[index])
    return result
