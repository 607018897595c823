"""Which detections of a class in an image become pseudo boxes."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from wsl_plugins.structures.box_iou import box_ious

Selection = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(R, 4) boxes xyxy, best first, and their (R,) scores to the places of those that are taken."""


def _check_shares(selection: object, *names: str) -> None:
    for name in names:
        if not 0 < getattr(selection, name) <= 1:
            raise ValueError(f'{name} must be in (0, 1], got {getattr(selection, name)}')


def _check_score(selection: 'Top | Threshold') -> None:
    if not 0 <= selection.score_thr <= 1:
        raise ValueError(f'score_thr must be in [0, 1], got {selection.score_thr}')


@dataclass(frozen=True)
class Top:
    """The ``top`` boxes of highest score: what most papers retrain with (OICR, CVPR 2017: one).

    Args:
        top: Boxes per class. Default 1.
        score_thr: Least score, in [0, 1]. Default 0.

    Example:
        >>> boxes = np.array([[0, 0, 9, 9], [0, 0, 9, 8], [20, 0, 30, 10]])
        >>> scores = np.array([0.9, 0.8, 0.3])
        >>> Top(2)(boxes, scores), Top(2, score_thr=0.85)(boxes, scores)
        (array([0, 1]), array([0]))
    """

    top: int = 1
    score_thr: float = 0.0

    def __post_init__(self) -> None:
        if self.top < 1:
            raise ValueError(f'top must be at least 1, got {self.top}')
        _check_score(self)

    def __call__(self, boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return np.flatnonzero(scores >= self.score_thr)[: self.top]


@dataclass(frozen=True)
class Threshold:
    """All boxes of at least a score, and the best one whatever its score.

    Sui et al., "Salvage of Supervision in Weakly Supervised Object Detection" (SoS-WSOD, CVPR
    2022): every class that the image is labelled with keeps a box.

    Args:
        score_thr: In [0, 1]. Default 0.3, a choice of ours: scores of detectors differ.

    Example:
        >>> Threshold(0.5)(np.zeros((3, 4)), np.array([0.9, 0.6, 0.3]))
        array([0, 1])
        >>> Threshold(0.5)(np.zeros((2, 4)), np.array([0.2, 0.1]))
        array([0])
    """

    score_thr: float = 0.3

    def __post_init__(self) -> None:
        _check_score(self)

    def __call__(self, boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return np.arange(max(np.count_nonzero(scores >= self.score_thr), min(1, len(scores))))


@dataclass(frozen=True)
class Diverse:
    """The best share of the boxes, of which none overlaps a better one that is taken.

    The self-training of MIST (Ren et al., CVPR 2020, algorithm 1), on detections, which are fewer
    than the proposals that :class:`MISTSampler` takes its share of.

    Args:
        top_ratio: p, share of the boxes of the class in the image, rounded down, at least one box;
            in (0, 1]. Default 0.15.
        nms_iou_thr: tau: a box is taken if its IoU with all that are taken is below; in (0, 1].
            Default 0.2.

    Example:
        >>> boxes = np.array([[0, 0, 9, 9], [0, 0, 9, 8], [20, 0, 30, 10]])
        >>> Diverse(top_ratio=1)(boxes, np.array([0.9, 0.8, 0.3]))
        array([0, 2])
    """

    top_ratio: float = 0.15
    nms_iou_thr: float = 0.2

    def __post_init__(self) -> None:
        _check_shares(self, 'top_ratio', 'nms_iou_thr')

    def __call__(self, boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
        count = max(1, math.floor(round(self.top_ratio * len(boxes), 6)))  # 0.29 * 100 < 29
        return _apart(boxes, np.arange(len(boxes))[:count], self.nms_iou_thr)


@dataclass(frozen=True)
class Adaptive:
    """Boxes whose score is a share of the best one's, without near duplicates and groups.

    Zhu et al., "WeakSAM: Segment Anything Meets Weakly-supervised Instance-level Recognition" (ACM
    MM 2024, arXiv 2402.14812) adapts the threshold to each class of each image; numbers here are
    ours. First boxes of a score of at least ``ratio`` times the best one; of those that overlap
    the better one stays; then a box that holds several of the others, which lie in it with
    ``inside`` of their area and are smaller, is a group and left out, unless it is the best.

    Args:
        ratio: Of the best score of the class in the image, in (0, 1]. Default 0.5.
        nms_iou_thr: Boxes of this IoU are one object, in (0, 1]. Default 0.3.
        inside: Share of the area of a smaller box, in (0, 1]. Default 0.85.

    Example:
        >>> two = [[0, 0, 9, 9], [20, 0, 30, 10]]
        >>> boxes = np.array([*two, [0, 0, 30, 10], [50, 50, 60, 60]])
        >>> Adaptive()(boxes, np.array([0.9, 0.8, 0.7, 0.2]))
        array([0, 1])
    """

    ratio: float = 0.5
    nms_iou_thr: float = 0.3
    inside: float = 0.85

    def __post_init__(self) -> None:
        _check_shares(self, 'ratio', 'nms_iou_thr', 'inside')

    def __call__(self, boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
        if not len(boxes):
            return np.arange(0)
        kept = _apart(boxes, np.flatnonzero(scores >= self.ratio * scores[0]), self.nms_iou_thr)
        boxes = boxes[kept].astype(np.float64)
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
        high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
        common = np.maximum(high - low, 0).prod(axis=2)
        held = (common >= self.inside * areas) & (areas < areas[:, None])
        group = held.sum(axis=1) >= 2
        group[0] = False
        return kept[~group]


SELECTIONS: dict[str, type] = {
    'top': Top,
    'threshold': Threshold,
    'mist': Diverse,
    'adaptive': Adaptive,
}


def make_selection(name: str, **options: float | None) -> Selection:
    """A selection by its name; options that are None are its defaults.

    Raises:
        ValueError: It has no such option, or a value is out of range.

    Example:
        >>> make_selection('top', top=3, ratio=None)
        Top(top=3, score_thr=0.0)
    """
    given = {key: value for key, value in options.items() if value is not None}
    own = [field.name for field in fields(SELECTIONS[name])]
    for key in given:
        if key not in own:
            raise ValueError(f'{key} is no option of the selection {name!r}, which has {own}')
    return SELECTIONS[name](**given)


def _apart(boxes: np.ndarray, ranked: np.ndarray, threshold: float) -> np.ndarray:
    """Ranked places whose IoU with every better one that stays is below a threshold."""
    kept: list[int] = []
    ious = box_ious(boxes[ranked], boxes[ranked])
    for place in range(len(ranked)):
        if (ious[place, kept] < threshold).all():
            kept.append(place)
    return ranked[kept]
