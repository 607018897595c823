"""Localisation accuracy of boxes and classes from different models.

PSOL, "Rethinking the Route Towards Weakly Supervised Object Localization" (CVPR 2020): sections 4.1
(definition of the measures), 4.2 and 5.4 (combination), with the variants of its published script.
"""

from collections.abc import Sequence

import numpy as np

from wsl_plugins.evaluation.functional.loc_accuracy import loc_accuracy


def boxes_in_center_crop(
    boxes: np.ndarray, size: tuple[int, int], resize: int, crop: int, cut: bool = True
) -> np.ndarray:
    """Boxes in pixels of a centre crop of the resized image.

    The published script cuts the ground truth at the border of the crop and the predictions not.

    Args:
        boxes: (K, 4) xyxy pixels of the original image, exclusive ends.
        size: (width, height) of the original image.
        resize: side of the square to which the whole image is resized.
        crop: side of the crop, at most ``resize``.
        cut: whether boxes are cut at the border of the crop. Default True: one outside has no area.

    Returns:
        (K, 4) float64 xyxy pixels of the crop.

    Example:
        >>> boxes_in_center_crop(np.array([[0, 0, 256, 64]]), (512, 128), 256, 224)
        array([[  0.,   0., 112., 112.]])
    """
    scale = np.tile(resize / np.asarray(size, np.float64), 2)
    moved = np.asarray(boxes, np.float64) * scale - round((resize - crop) / 2)
    return np.clip(moved, 0, crop) if cut else moved


def mean_over_classes(
    hits: np.ndarray, ranks: np.ndarray, labels: np.ndarray, topk: Sequence[int] = (1, 5)
) -> dict[str, float]:
    """Accuracies of each class, averaged over the classes, which all count alike.

    Args:
        hits: (N,) bool, whether the box of an image is right.
        ranks: (N,) rank of each image's class, 0 for the best; any number from max(topk) on if it
            is not among the best.
        labels: (N,) class of each image.
        topk: Values of k. Default: (1, 5).

    Returns:
        ``gt_known_loc`` and ``top{k}_loc`` in percent.

    Example:
        >>> hits, ranks = np.array([True, True, False]), np.array([0, 1, 0])
        >>> mean_over_classes(hits, ranks, np.array([0, 1, 1]), topk=(1,))
        {'gt_known_loc': 75.0, 'top1_loc': 50.0}
    """
    most = max(topk, default=1)
    reports = [
        loc_accuracy(hits[labels == label, None], ranks[labels == label], most, topk)[0]
        for label in np.unique(labels)
    ]
    return {name: float(np.mean([report[name] for report in reports])) for name in reports[0]}
