"""OICR's pseudo labels: the best proposal of each class."""

import torch
from torch import Tensor

from wsl_plugins.registry import TASK_UTILS

from .base import PseudoLabelSampler


@TASK_UTILS.register_module()
class OICRSampler(PseudoLabelSampler):
    """Top-scoring proposal per class of the image (`OICR <https://arxiv.org/abs/1704.00138>`_;
    section 3.1 of Li et al., ICCV 2019).

    Classes pick in ascending order and a picked proposal is no longer available to the others; a
    class that finds none left (fewer proposals than classes) gets no pseudo box. The first of equal
    scores wins.

    Each proposal takes the pseudo box of highest IoU (the first one on ties) and is foreground if
    that exceeds ``fg_iou_thr``.

    Args:
        fg_iou_thr: Default 0.5, exclusive.

    Example:
        >>> boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60]])
        >>> scores = torch.tensor([[0.6, 0.1], [0.3, 0.1], [0.1, 0.1]])
        >>> targets = OICRSampler()(boxes, scores, torch.tensor([1, 0]))
        >>> targets.labels, targets.weights
        (tensor([0, 0, 2]), tensor([0.6000, 0.6000, 0.6000]))
    """

    def pick(
        self, boxes: Tensor, scores: Tensor, classes: list[int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        left = scores.clone()
        picked = []
        for label in classes[: len(boxes)]:
            picked.append(left[:, label].argmax())
            left[picked[-1]] = -1  # below every score
        picked = torch.stack(picked)
        labels = torch.tensor(classes[: len(boxes)], device=boxes.device)
        return picked, labels, scores[picked, labels]

    def match(
        self, ious: Tensor, box_scores: Tensor, box_labels: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        best, match = ious.max(dim=0)
        return match, best > self.fg_iou_thr, best
