"""MIST's pseudo labels: several diverse high-scoring proposals per class."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import nms

from wsl_plugins.registry import TASK_UTILS

from .base import PseudoLabelSampler, box_ious

_ROUNDING: dict[str, Callable[[float], int]] = {
    'floor': math.floor,
    'ceil': math.ceil,
    'round': round,
}


@TASK_UTILS.register_module()
class MISTSampler(PseudoLabelSampler):
    """Multiple instance self-training (algorithm 1 of `MIST <https://arxiv.org/abs/2004.04725>`_).

    For each class of the image: the best ``top_ratio`` of the proposals by score, in that order,
    each kept as a pseudo box if its IoU with every kept one is below ``nms_iou_thr``. A proposal
    whose IoU with a pseudo box is at least ``fg_iou_thr`` is foreground.

    Args:
        top_ratio: p, share of the proposals that are candidates. Default 0.15.
        nms_iou_thr: tau. Default 0.2.
        rounding: k = p R to a whole number, at least 1: ``'floor'`` (default), ``'ceil'`` or
            ``'round'``.
        suppress_by: ``'kept'`` (paper): a candidate falls to kept ones only; ``'all'`` (published
            code): to every better candidate, kept or not.
        conflict: a proposal that matches pseudo boxes of several classes goes to the one of higher
            teacher score (``'score'``, paper) or of higher IoU (``'iou'``, published code).
        fg_iou_thr: Default 0.5, inclusive.
        plus_one: see :class:`PseudoLabelSampler`. Default False; True in the published code.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60]])
        >>> scores = torch.tensor([[0.6], [0.5], [0.4]])
        >>> MISTSampler(top_ratio=1.0)(boxes, scores, torch.tensor([1])).picked
        tensor([0, 2])
    """

    def __init__(
        self,
        top_ratio: float = 0.15,
        nms_iou_thr: float = 0.2,
        rounding: str = 'floor',
        suppress_by: str = 'kept',
        conflict: str = 'score',
        fg_iou_thr: float = 0.5,
        plus_one: bool = False,
    ) -> None:
        super().__init__(fg_iou_thr, plus_one=plus_one)
        for name, value, allowed in (
            ('rounding', rounding, tuple(_ROUNDING)),
            ('suppress_by', suppress_by, ('kept', 'all')),
            ('conflict', conflict, ('score', 'iou')),
        ):
            if value not in allowed:
                raise ValueError(f'{name} must be one of {allowed}, got {value!r}')
        for name, value in (('top_ratio', top_ratio), ('nms_iou_thr', nms_iou_thr)):
            if not 0 < value <= 1:
                raise ValueError(f'{name} must be in (0, 1], got {value}')
        self.top_ratio = top_ratio
        self.nms_iou_thr = nms_iou_thr
        self.rounding = rounding
        self.suppress_by = suppress_by
        self.conflict = conflict

    def pick(
        self, boxes: Tensor, scores: Tensor, classes: list[int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        exact = round(self.top_ratio * len(boxes), 6)  # 0.29 * 100 is a little less than 29
        count = max(1, _ROUNDING[self.rounding](exact))
        suppress = _better_kept if self.suppress_by == 'kept' else _better_any
        kept = []
        for column in scores.t()[classes]:
            ranked = top_indices(column, count)
            kept.append(ranked[suppress(boxes[ranked], self.nms_iou_thr)])
        sizes = torch.tensor([len(k) for k in kept])
        labels = torch.tensor(classes).repeat_interleave(sizes).to(boxes.device)
        picked = torch.cat(kept)
        return picked, labels, scores[picked, labels]

    def match(
        self, ious: Tensor, box_scores: Tensor, box_labels: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        # per class its pseudo box of highest IoU; then one of the classes
        sizes = box_labels.unique_consecutive(return_counts=True)[1]
        parts = [part.max(dim=0) for part in ious.split(sizes.tolist())]
        iou, index = (torch.stack(values) for values in zip(*parts, strict=True))
        index += (sizes.cumsum(0) - sizes)[:, None]
        best = iou.amax(dim=0)
        foreground = best >= self.fg_iou_thr
        rank = iou
        if self.conflict == 'score':
            score_if_matched = torch.where(iou >= self.fg_iou_thr, box_scores[index], -1)
            rank = torch.where(foreground, score_if_matched, iou)
        chosen = rank.max(dim=0, keepdim=True).indices
        return index.gather(0, chosen)[0], foreground, best


def top_indices(scores: Tensor, count: int) -> Tensor:
    """The first ``count`` indices of a stable descending sort of scores (R,), without sorting
    all."""
    # "not below" and not "at least": a NaN counts as the highest, as in sort
    candidates = (~(scores < scores.topk(count).values[-1])).nonzero().flatten()
    order = scores[candidates].sort(descending=True, stable=True).indices
    return candidates[order[:count]]


def _better_kept(boxes: Tensor, threshold: float) -> Tensor:
    """Indices that class-wise NMS keeps of boxes in descending order; IoU equal to the threshold
    suppresses."""
    order = torch.arange(len(boxes), 0, -1, device=boxes.device, dtype=torch.float32)
    # torchvision suppresses above its threshold; the number just below makes that "at least"
    return nms(boxes, order, float(np.nextafter(np.float32(threshold), np.float32(0))))


def _better_any(boxes: Tensor, threshold: float) -> Tensor:
    """Indices of boxes, in descending order, that overlap no better one."""
    with_better = box_ious(boxes, boxes).tril_(diagonal=-1).amax(dim=1)
    return (with_better < threshold).nonzero().flatten()
