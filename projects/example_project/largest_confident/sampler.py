"""Pseudo labels from the largest of the confident proposals."""

import torch
from torch import Tensor

from wsl_plugins.models.pseudo_labels.base import PseudoLabelSampler

from mmdet.registry import TASK_UTILS


@TASK_UTILS.register_module()
class LargestConfidentSampler(PseudoLabelSampler):
    """For each class of the image, the largest proposal that scores nearly as high as the best.

    The best proposal often covers a part of the object only; among those that score at least
    ``ratio`` times as much, the one of largest area is the pseudo box (the first one on ties).
    A rule made up to show how a sampler is written; it is of no paper.

    Args:
        ratio: share of the best score, in (0, 1]. At 1 this is OICR's choice. Default 0.8.
        fg_iou_thr: IoU with a pseudo box from which on a proposal is foreground. Default 0.5.

    Raises:
        ValueError: ``ratio`` out of range.

    Example:
        >>> boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 20, 20], [0, 0, 50, 50]])
        >>> scores = torch.tensor([[0.50], [0.45], [0.10]])
        >>> LargestConfidentSampler()(boxes, scores, torch.tensor([1])).picked
        tensor([1])
    """

    def __init__(self, ratio: float = 0.8, fg_iou_thr: float = 0.5) -> None:
        super().__init__(fg_iou_thr)
        if not 0 < ratio <= 1:
            raise ValueError(f'ratio must be in (0, 1], got {ratio}')
        self.ratio = ratio

    def pick(
        self, boxes: Tensor, scores: Tensor, classes: list[int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See :class:`PseudoLabelSampler`."""
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
        labels = torch.tensor(classes, device=boxes.device)
        of_class = scores[:, labels]
        confident = of_class >= self.ratio * of_class.max(dim=0).values
        picked = torch.where(confident, areas[:, None], -1).argmax(dim=0)
        return picked, labels, scores[picked, labels]
