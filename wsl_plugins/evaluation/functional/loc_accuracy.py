"""Localisation accuracy: Top-1, Top-5 and GT-known Loc.

The measures of ImageNet's localisation task as weakly supervised work reports them (Choe et al.,
CVPR 2020, appendix C.2 and table 6). GT-known Loc is the share of images whose box has IoU >= 0.5
with any object. Top-k Loc asks too that the image's class is among the k classes of highest score.
"""

from collections.abc import Sequence

import numpy as np

from wsl_plugins.structures.box_iou import box_ious


def class_rank(scores: np.ndarray, label: int) -> int:
    """Rank of a class: 0 for the highest score; among equal scores the lower class goes first.

    NaN ranks are last: a class whose own score is NaN has rank C, after all classes.

    Args:
        scores: (C,) score of each class.
        label: The class.

    Raises:
        ValueError: There is no such class.

    Example:
        >>> class_rank(np.array([0.1, 0.6, 0.3]), 2)
        1
    """
    if not 0 <= label < len(scores):
        raise ValueError(f'class {label} has no score: there are {len(scores)} classes')
    own = scores[label]
    if np.isnan(own):
        return len(scores)
    return int((scores > own).sum() + (scores[:label] == own).sum())


def best_iou(box: np.ndarray, gt_boxes: np.ndarray) -> float:
    """Highest IoU of a box (4,) with the objects' boxes (K, 4): xyxy, exclusive ends (no "+1").

    Boxes without area have IoU 0.

    Raises:
        ValueError: There is no object.
    """
    if len(gt_boxes) == 0:
        raise ValueError('localisation accuracy of an image without any box of an object')
    return float(box_ious(np.asarray(box)[None], gt_boxes).max())


def loc_accuracy(
    hits: np.ndarray, ranks: np.ndarray, num_classes: int, topk: Sequence[int] = (1, 5)
) -> tuple[dict[str, float], int]:
    """Accuracies in percent at the threshold of the highest GT-known Loc.

    Args:
        hits: (N, T) bool, whether the box of an image is right at a threshold.
        ranks: (N,) rank of each image's class (:func:`class_rank`).
        num_classes: C. With k > C every class that has a number as its score is among the top k.
        topk: Values of k. Default: (1, 5).

    Returns:
        ``gt_known_loc`` and ``top{k}_loc``; index of the threshold (the first of the best).

    Example:
        >>> loc_accuracy(np.array([[True, False], [True, True]]), np.array([0, 7]), 10)
        ({'gt_known_loc': 100.0, 'top1_loc': 50.0, 'top5_loc': 50.0}, 0)
    """
    best = int(hits.sum(axis=0).argmax())
    right = hits[:, best]
    result = {'gt_known_loc': float(right.sum() * 100.0 / len(right))}
    for k in topk:
        found = ranks < min(k, num_classes)
        result[f'top{k}_loc'] = float((right & found).sum() * 100.0 / len(right))
    return result, best
