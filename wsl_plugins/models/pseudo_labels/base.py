"""What every pseudo-label sampler takes and gives."""

from abc import ABCMeta, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from mmdet.structures.bbox import bbox_overlaps


class PseudoLabels(NamedTuple):
    """Supervision of one refinement branch on one image of R proposals and C classes.

    Attributes:
        labels: (R,) int64, 0..C-1 or background = C.
        weights: (R,) float32, 0 = ignored.
        matched_boxes: (R, 4) the pseudo box of each proposal (its own box where there is none).
        picked: (P,) int64, the proposals picked as pseudo boxes.
        picked_labels: (P,) int64, their classes.
    """

    labels: Tensor
    weights: Tensor
    matched_boxes: Tensor
    picked: Tensor
    picked_labels: Tensor


class PseudoLabelSampler(metaclass=ABCMeta):
    """Turns the scores of a teacher into :class:`PseudoLabels`: a pure function of (boxes, scores,
    image labels).

    A subclass picks pseudo boxes and matches them with the proposals: a foreground proposal takes
    the class of its pseudo box, the others are background; weight = teacher score of the pseudo
    box. With nothing picked (an image without labels) every weight is 0.

    Args:
        fg_iou_thr: IoU with a pseudo box from which on a proposal is foreground. Default 0.5.
    """

    def __init__(self, fg_iou_thr: float = 0.5) -> None:
        self.fg_iou_thr = fg_iou_thr

    @abstractmethod
    def pick(
        self, boxes: Tensor, scores: Tensor, classes: list[int]
    ) -> tuple[list[int], list[int]]:
        """Pseudo boxes of the image's classes: indices of proposals, and the class of each."""

    @abstractmethod
    def match(self, ious: Tensor, box_scores: Tensor, box_labels: Tensor) -> tuple[Tensor, Tensor]:
        """Pseudo box (R,) of each proposal, and whether the proposal is foreground (R,), from the
        IoUs (R, P) with pseudo boxes, and the scores (P,) and classes (P,) of these."""

    @torch.no_grad()
    def __call__(self, boxes: Tensor, scores: Tensor, image_labels: Tensor) -> PseudoLabels:
        """Pseudo labels of one image.

        Args:
            boxes: (R, 4) xyxy, pixels.
            scores: (R, C) or (R, C + 1) teacher scores; a background column is ignored.
            image_labels: (C,) 0 or 1.

        Raises:
            ValueError: shapes that do not fit together.
        """
        num_boxes, num_classes = len(boxes), len(image_labels)
        if boxes.shape != (num_boxes, 4) or scores.dim() != 2 or scores.shape[0] != num_boxes:
            raise ValueError(
                'boxes must be (R, 4) and scores (R, C), '
                f'got {tuple(boxes.shape)} and {tuple(scores.shape)}'
            )
        if scores.shape[1] not in (num_classes, num_classes + 1):
            raise ValueError(
                f'{scores.shape[1]} columns of scores do not fit {num_classes} image labels'
            )
        scores = scores[:, :num_classes].float()
        classes = image_labels.nonzero().flatten().tolist()
        picked, picked_labels = self.pick(boxes, scores, classes) if num_boxes else ([], [])
        picked = torch.tensor(picked, dtype=torch.long, device=boxes.device)
        picked_labels = torch.tensor(picked_labels, dtype=torch.long, device=boxes.device)
        if not len(picked):
            background = torch.full((num_boxes,), num_classes, device=boxes.device)
            return PseudoLabels(
                background, scores.new_zeros(num_boxes), boxes, picked, picked_labels
            )
        ious = bbox_overlaps(boxes.float(), boxes[picked].float())
        box_scores = scores[picked, picked_labels]
        match, foreground = self.match(ious, box_scores, picked_labels)
        labels = torch.where(foreground, picked_labels[match], num_classes)
        return PseudoLabels(labels, box_scores[match], boxes[picked][match], picked, picked_labels)
