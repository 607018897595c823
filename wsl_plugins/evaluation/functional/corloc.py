"""Correct localisation: the measure of weakly supervised detectors on their training images.

CorLoc of a class is the share of the images with an object of the class in which the box of
highest score for the class has IoU >= 0.5 with one of its objects (Deselaers et al., "Weakly
supervised localization and learning with generic knowledge", IJCV 2012; MIST, section 5).
"""

import numpy as np

from wsl_plugins.structures.box_iou import box_ious


def top_box_iou(
    boxes: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
    gt_boxes: np.ndarray,
    gt_labels: np.ndarray,
    num_classes: int,
) -> np.ndarray:
    """IoU of the top box of each class with the object of the class it fits best, in one image.

    Args:
        boxes: (N, 4) predicted boxes, xyxy pixels, no "+1".
        scores: (N,) their scores; among equal ones the first box is the top.
        labels: (N,) their classes.
        gt_boxes: (M, 4) boxes of the objects.
        gt_labels: (M,) classes of the objects.
        num_classes: C.

    Returns:
        (C,) float: IoU, 0 without a prediction of the class, NaN without an object of the class.

    Example:
        >>> top_box_iou(np.array([[0, 0, 9, 9]]), np.array([.7]), np.array([0]),
        ...             np.array([[0, 0, 9, 6], [2, 2, 5, 5]]), np.array([0, 1]), num_classes=3)
        array([0.66666667, 0.        ,        nan])
    """
    ious = np.full(num_classes, np.nan)
    for label in np.unique(gt_labels):
        ious[label] = 0
        own = np.flatnonzero(labels == label)
        if len(own):
            top = own[[np.argmax(scores[own])]]
            ious[label] = box_ious(boxes[top], gt_boxes[gt_labels == label]).max()
    return ious


def mean_over_images(values: np.ndarray) -> np.ndarray:
    """Mean (C,) of the rows (N, C) without NaN; NaN for classes without a number."""
    images = np.isfinite(values).sum(axis=0)
    total = np.nansum(values, axis=0)
    return np.divide(total, images, out=np.full(len(images), np.nan), where=images > 0)


def corloc(top_box_ious: np.ndarray, iou_thr: float = 0.5) -> np.ndarray:
    """CorLoc of each class.

    Args:
        top_box_ious: (N, C), one row of :func:`top_box_iou` per image.
        iou_thr: Least IoU of a right box. Default: 0.5.

    Returns:
        (C,) float in [0, 1]; NaN for classes without an image.
    """
    right = np.where(np.isnan(top_box_ious), np.nan, top_box_ious >= iou_thr)
    return mean_over_images(right)
