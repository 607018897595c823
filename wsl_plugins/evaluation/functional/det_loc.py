"""Localisation accuracy of detectors: the most confident box, or any of several.

Xu et al., "Rethinking the Localization in Weakly Supervised Object Localization" (WEND, ACM MM
2023), section 4.1, "Evaluation Metrics". The measures of the most confident box are those of
:mod:`wsl_plugins.evaluation.functional.loc_accuracy`. The multi-box ones, which the paper
underlines:

- GT-known Loc: any predicted box is right;
- Top-k Loc, k > 1: the class is among the k best and one of the k most confident boxes is right.

Top-1 has no multi-box form. Nothing limits the number of boxes: a detector that covers the image
with boxes of all sizes scores 100, so that these numbers mean little without boxes per image.
"""

from collections.abc import Sequence

import numpy as np

from wsl_plugins.evaluation.functional.combined_loc import mean_over_classes
from wsl_plugins.evaluation.functional.loc_accuracy import loc_accuracy
from wsl_plugins.structures.box_iou import box_ious

NO_HIT = np.iinfo(np.int64).max
"""Rank of an image without any right box."""


def boxes_in_original(
    boxes: np.ndarray,
    ori_shape: tuple[int, int],
    scale_factor: tuple[float, float] = (1.0, 1.0),
    crop_offset: tuple[int, int] | None = None,
) -> np.ndarray:
    """Boxes as mmdet rescales them, moved by the crop's offset and clipped to the original image.

    mmdet's heads divide boxes of the network input by ``scale_factor`` and know nothing of a crop
    after the resize.

    Args:
        boxes: (K, 4) xyxy, pixels of the input divided by ``scale_factor``, exclusive ends.
        ori_shape: (height, width) of the original image.
        scale_factor: (width, height) of the resized image over the original image.
        crop_offset: (x, y) of the input in the resized image. Default None: not cropped.

    Returns:
        (K, 4) float64 xyxy pixels of the original image; a box outside has no area.

    Example:
        >>> boxes_in_original(np.array([[0, 0, 100, 900]]), (512, 1024), (0.25, 0.5), (16, 16))
        array([[ 64.,  32., 164., 512.]])
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    offset = np.asarray(crop_offset or (0, 0), np.float64) / scale_factor
    return np.clip(boxes + np.tile(offset, 2), 0, np.tile(ori_shape[1::-1], 2))


def first_hit(
    boxes: np.ndarray, gt_boxes: np.ndarray, iou: float = 0.5, strict: bool = False
) -> int:
    """Rank of the first right box, 0 for the most confident; :data:`NO_HIT` if none is right.

    Args:
        boxes: (K, 4) xyxy, exclusive ends, most confident first; K may be 0.
        gt_boxes: (J, 4) of the objects; a box is right with IoU >= ``iou`` with any of them.
        iou: Least IoU.
        strict: IoU above ``iou``, not equal.

    Raises:
        ValueError: There is no object.

    Example:
        >>> first_hit(np.array([[0, 0, 9, 9], [5, 5, 9, 9]]), np.array([[5, 5, 8, 9]]))
        1
    """
    if len(gt_boxes) == 0:
        raise ValueError('localisation accuracy of an image without any box of an object')
    ious = box_ious(boxes, gt_boxes).max(axis=1)
    hits = np.flatnonzero(ious > iou if strict else ious >= iou)
    return int(hits[0]) if len(hits) else NO_HIT


def det_loc_accuracy(
    hit_ranks: np.ndarray,
    class_ranks: np.ndarray,
    topk: Sequence[int] = (1, 5),
    labels: np.ndarray | None = None,
    multi: bool = True,
) -> dict[str, float]:
    """Accuracies in percent.

    Args:
        hit_ranks: (N,) int64, :func:`first_hit` of each image.
        class_ranks: (N,) rank of each image's class, 0 for the best; any number from max(topk) on
            if it is not among the best. Not read if ``topk`` is empty.
        topk: Values of k; may be empty. Default: (1, 5).
        labels: (N,) class of each image: accuracies are averaged over classes, which all count
            alike. Default None: over images.
        multi: Whether to report the multi-box measures.

    Returns:
        ``gt_known_loc``, ``top{k}_loc``, and with ``multi`` ``gt_known_loc_multi`` and, for k > 1,
        ``top{k}_loc_multi``.

    Example:
        >>> det_loc_accuracy(np.array([0, 1, NO_HIT, 1]), np.array([0, 1, 0, 9]), topk=(1, 2))
        {'gt_known_loc': 25.0, 'top1_loc': 25.0, 'top2_loc': 25.0, 'gt_known_loc_multi': 75.0, \
'top2_loc_multi': 50.0}
    """

    def accuracy(hits: np.ndarray, topk: Sequence[int]) -> dict[str, float]:
        if labels is not None:
            return mean_over_classes(hits, class_ranks, labels, topk)
        return loc_accuracy(hits[:, None], class_ranks, max(topk, default=1), topk)[0]

    report = accuracy(hit_ranks == 0, topk)
    if multi:
        report['gt_known_loc_multi'] = accuracy(hit_ranks < NO_HIT, (1,))['gt_known_loc']
        for k in topk:
            if k > 1:
                report[f'top{k}_loc_multi'] = accuracy(hit_ranks < k, (k,))[f'top{k}_loc']
    return report
