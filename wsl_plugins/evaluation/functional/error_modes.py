"""Error modes of a detector: where its boxes lie relative to the objects.

SDCN (Li et al., "Weakly Supervised Object Detection with Segmentation Collaboration", ICCV 2019),
appendix B.2 and figure 6, after Cinbis et al., "Weakly Supervised Object Localization with
Multi-fold Multiple Instance Learning", TPAMI 2017. A hypothesis (predicted box) is compared with
the object of its class that it fits best, the one of greatest IoU (the first of equals), and is
the first of these that holds:

=================  =================================================
mode               condition
=================  =================================================
correct            IoU above 0.5
inside             hypothesis completely inside the object
contains           object completely inside the hypothesis
partial            none of the above, but they overlap
no_overlap         no common area
=================  =================================================

Boxes are xyxy in pixels with exclusive ends (no "+1"). Edges may touch: a box that ends where the
object ends is inside. A box without area overlaps nothing.
"""

import numpy as np

from wsl_plugins.structures.box_iou import box_ious

MODES = ('correct', 'inside', 'contains', 'partial', 'no_overlap')
"""Names of the modes, in the order of their numbers."""


def error_modes(boxes: np.ndarray, objects: np.ndarray, iou_thr: float = 0.5) -> np.ndarray:
    """Mode of each hypothesis of a class in one image.

    Args:
        boxes: (R, 4) hypotheses.
        objects: (M, 4) objects of the class; M may be 0.
        iou_thr: A hypothesis with a greater IoU is correct. Default: 0.5.

    Returns:
        (R,) int64, index into :data:`MODES`.

    Example:
        >>> error_modes(np.array([[0, 0, 9, 9], [2, 2, 4, 4], [0, 7, 9, 20], [9, 0, 12, 9]]),
        ...             np.array([[0, 0, 9, 10]]))
        array([0, 1, 3, 4])
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    objects = np.asarray(objects, np.float64).reshape(-1, 4)
    if len(objects) == 0:
        return np.full(len(boxes), MODES.index('no_overlap'))
    ious = box_ious(boxes, objects)
    best = ious.argmax(axis=1)
    iou = ious.max(axis=1)
    fitted = objects[best]
    lower = boxes[:, :2] - fitted[:, :2]
    upper = boxes[:, 2:] - fitted[:, 2:]
    conditions = [
        iou > iou_thr,
        iou <= 0,
        (lower >= 0).all(axis=1) & (upper <= 0).all(axis=1),
        (lower <= 0).all(axis=1) & (upper >= 0).all(axis=1),
    ]
    modes = ('correct', 'no_overlap', 'inside', 'contains')
    return np.select(
        conditions, [MODES.index(mode) for mode in modes], default=MODES.index('partial')
    )


def count_error_modes(
    boxes: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
    gt_boxes: np.ndarray,
    gt_labels: np.ndarray,
    num_classes: int,
    score_thr: float | None = None,
    iou_thr: float = 0.5,
) -> np.ndarray:
    """How often each mode occurs in one image, per class.

    By default one hypothesis counts for each class that the image has an object of: the box of
    highest score (the first of equals), as for CorLoc; a class without any box counts as
    'no_overlap', so that 'correct' is CorLoc but for IoUs of exactly 0.5. With ``score_thr`` every
    box of at least that score counts, of whatever class; in an image without an object of its
    class it is 'no_overlap'.

    Args:
        boxes: (N, 4) predicted boxes.
        scores: (N,) their scores.
        labels: (N,) their classes.
        gt_boxes: (M, 4) boxes of the objects.
        gt_labels: (M,) classes of the objects.
        num_classes: C.
        score_thr: Least score of a box that counts. Default None: the top box of each class.
        iou_thr: See :func:`error_modes`. Default: 0.5.

    Returns:
        (C, 5) int64, columns as :data:`MODES`; the sum over images goes to
        :func:`mode_frequencies`.

    Example:
        >>> count_error_modes(np.array([[0, 0, 9, 9]]), np.array([.7]), np.array([0]),
        ...                   np.array([[0, 0, 9, 6], [2, 2, 5, 5]]), np.array([0, 1]), 3)
        array([[1, 0, 0, 0, 0],
               [0, 0, 0, 0, 1],
               [0, 0, 0, 0, 0]])
    """
    counts = np.zeros((num_classes, len(MODES)), np.int64)
    for label in np.unique(gt_labels if score_thr is None else labels[scores >= score_thr]):
        own = np.flatnonzero(labels == label)
        if score_thr is not None:
            own = own[scores[own] >= score_thr]
        elif len(own):
            own = own[[np.argmax(scores[own])]]
        else:
            counts[label, MODES.index('no_overlap')] += 1
        modes = error_modes(boxes[own], gt_boxes[gt_labels == label], iou_thr)
        counts[label] += np.bincount(modes, minlength=len(MODES))
    return counts


def mode_frequencies(counts: np.ndarray) -> np.ndarray:
    """Share of each mode, per class and as the mean over the classes that have a hypothesis.

    Args:
        counts: (C, 5), the sum of :func:`count_error_modes` over images.

    Returns:
        (C + 1, 5) float64, rows that add up to 1; the last row is the mean, and the row of a class
        without a hypothesis is NaN.

    Raises:
        ValueError: No class has a hypothesis.
    """
    totals = counts.sum(axis=1, keepdims=True)
    if not totals.any():
        raise ValueError('error modes of no hypothesis at all')
    shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    return np.concatenate([shares, np.nanmean(shares, axis=0, keepdims=True)])
