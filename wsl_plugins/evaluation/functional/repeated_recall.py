"""Recall of objects whose class occurs several times in their image."""

import numpy as np

from wsl_plugins.structures.box_iou import box_ious


def repeated_recall(
    boxes: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
    gt_boxes: np.ndarray,
    gt_labels: np.ndarray,
    iou_thr: float = 0.5,
) -> tuple[int, int]:
    """How many of the repeated objects of an image the best boxes find.

    An object is repeated if its class has n > 1 objects in the image, and found if one of the n
    boxes of highest score for the class has IoU >= ``iou_thr`` with it. Average recall at 10 or
    100 boxes also counts what is found far down the list; here a class has as many guesses as
    objects, so that a detector which ranks parts or one object's neighbours first is told apart.

    Args:
        boxes: (N, 4) predicted boxes, xyxy pixels, no "+1".
        scores: (N,) their scores; among equal ones the first box is the better one.
        labels: (N,) their classes.
        gt_boxes: (M, 4) boxes of the objects.
        gt_labels: (M,) classes of the objects.
        iou_thr: Default: 0.5.

    Returns:
        Number of repeated objects found, number of repeated objects.

    Example:
        >>> two = np.array([[0, 0, 9, 9], [20, 0, 29, 9]])
        >>> repeated_recall(two[:1], np.array([.7]), np.array([0]), two, np.array([0, 0]))
        (1, 2)
    """
    found = total = 0
    for label, count in zip(*np.unique(gt_labels, return_counts=True), strict=True):
        if count < 2:
            continue
        objects = gt_boxes[gt_labels == label]
        own = np.flatnonzero(labels == label)
        best = own[np.argsort(-scores[own], kind='stable')][:count]
        hits = box_ious(boxes[best], objects) >= iou_thr
        total += int(count)
        found += int(hits.any(axis=0).sum())
    return found, total
