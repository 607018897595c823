"""MIST's pseudo labels: several diverse high-scoring proposals per class."""

import math

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import nms

from wsl_plugins.registry import TASK_UTILS

from mmdet.structures.bbox import bbox_overlaps

from .base import PseudoLabelSampler

_ROUNDING = {'floor': math.floor, 'ceil': math.ceil, 'round': round}


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
    ) -> None:
        super().__init__(fg_iou_thr)
        for name, value, allowed in (
            ('rounding', rounding, tuple(_ROUNDING)),
            ('suppress_by', suppress_by, ('kept', 'all')),
            ('conflict', conflict, ('score', 'iou')),
        ):
            if value not in allowed:
                raise ValueError(f'{name} must be one of {allowed}, got {value!r}')
        if not 0 < top_ratio <= 1:
            raise ValueError(f'top_ratio must be in (0, 1], got {top_ratio}')
        self.top_ratio = top_ratio
        self.nms_iou_thr = nms_iou_thr
        self.rounding = rounding
        self.suppress_by = suppress_by
        self.conflict = conflict

    def pick(
        self, boxes: Tensor, scores: Tensor, classes: list[int]
    ) -> tuple[list[int], list[int]]:
        exact = round(self.top_ratio * len(boxes), 6)  # 0.29 * 100 is a little less than 29
        count = max(1, _ROUNDING[self.rounding](exact))
        suppress = _better_kept if self.suppress_by == 'kept' else _better_any
        picked: list[int] = []
        labels: list[int] = []
        for label in classes:
            candidates = scores[:, label].sort(descending=True, stable=True).indices[:count]
            kept = candidates[suppress(boxes[candidates].float(), self.nms_iou_thr)].tolist()
            picked += kept
            labels += [label] * len(kept)
        return picked, labels

    def match(self, ious: Tensor, box_scores: Tensor, box_labels: Tensor) -> tuple[Tensor, Tensor]:
        best, match = ious.max(dim=1)
        foreground = best >= self.fg_iou_thr
        if self.conflict == 'score':
            # per class the pseudo box of highest IoU; of those that match, the highest score
            per_class = []
            for label in box_labels.unique():
                own = (box_labels == label).nonzero().flatten()
                iou, index = ious[:, own].max(dim=1)
                index = own[index]
                score = torch.where(iou >= self.fg_iou_thr, box_scores[index], -1)
                per_class.append((score, index))
            scores, indices = (torch.stack(parts) for parts in zip(*per_class, strict=True))
            chosen = indices.gather(0, scores.argmax(dim=0, keepdim=True))[0]
            match = torch.where(foreground, chosen, match)
        return match, foreground


def _better_kept(boxes: Tensor, threshold: float) -> Tensor:
    """Indices that class-wise NMS keeps of boxes in descending order; IoU equal to the threshold
    suppresses."""
    order = torch.arange(len(boxes), 0, -1, device=boxes.device, dtype=torch.float32)
    # torchvision suppresses above its threshold; the number just below makes that "at least"
    return nms(boxes, order, float(np.nextafter(np.float32(threshold), np.float32(0))))


def _better_any(boxes: Tensor, threshold: float) -> Tensor:
    """Indices of boxes, in descending order, that overlap no better one."""
    overlap = bbox_overlaps(boxes, boxes) >= threshold
    return (~overlap.tril(diagonal=-1).any(dim=1)).nonzero().flatten()
