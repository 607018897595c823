"""What every pseudo-label sampler takes and gives."""

from abc import ABCMeta, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor


class PseudoLabels(NamedTuple):
    """Supervision of one refinement branch on one image of R proposals and C classes.

    Attributes:
        labels: (R,) int64, 0..C-1 or background = C.
        weights: (R,) float32, 0 = ignored.
        matched_boxes: (R, 4) the pseudo box of each proposal (its own box where there is none).
        match: (R,) int64, which pseudo box that is, 0..P-1 (0 where there is none).
        picked: (P,) int64, the proposals picked as pseudo boxes.
        picked_labels: (P,) int64, their classes.
    """

    labels: Tensor
    weights: Tensor
    matched_boxes: Tensor
    match: Tensor
    picked: Tensor
    picked_labels: Tensor


class PseudoLabelSampler(metaclass=ABCMeta):
    """Turns the scores of a teacher into :class:`PseudoLabels`: a pure function of (boxes, scores,
    image labels).

    A subclass picks pseudo boxes and may say how proposals are matched with them: a foreground
    proposal takes the class of its pseudo box, the others are background; weight = score of the
    pseudo box. With nothing picked (an image without labels) every weight is 0.

    Args:
        fg_iou_thr: IoU with a pseudo box from which on a proposal is foreground. Default 0.5.
        ignore_iou_thr: a proposal whose IoU with every pseudo box is below this gets weight 0.
            Default 0: none is ignored.
        plus_one: IoUs count x2 and y2 as the last pixels of a box, so that widths and heights are
            larger by 1 (published code of MIST). Default False.
    """

    def __init__(
        self, fg_iou_thr: float = 0.5, ignore_iou_thr: float = 0.0, plus_one: bool = False
    ) -> None:
        self.fg_iou_thr = fg_iou_thr
        self.ignore_iou_thr = ignore_iou_thr
        self.plus_one = plus_one

    @abstractmethod
    def pick(
        self, boxes: Tensor, scores: Tensor, classes: list[int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Pseudo boxes of the image's classes: indices of proposals, classes and scores, (P,) each,
        one class after another.

        ``boxes`` are (R, 4) float32 with exclusive ends (``plus_one`` is added), ``scores`` (R, C)
        float32, R >= 1; ``classes`` are ascending and at least one.
        """

    def match(
        self, ious: Tensor, box_scores: Tensor, box_labels: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Per proposal (R,): its pseudo box, whether it is foreground, its highest IoU; from the
        IoUs (P, R) of pseudo boxes, and the scores (P,) and classes (P,) of these."""
        best, match = ious.max(dim=0)
        return match, best >= self.fg_iou_thr, best

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
        boxes, scores = boxes.float(), scores.float()
        classes = image_labels.nonzero().flatten().tolist()
        if not (num_boxes and classes):
            none = boxes.new_empty(0, dtype=torch.long)
            match = none.new_zeros(num_boxes)
            return PseudoLabels(
                match + num_classes, scores.new_zeros(num_boxes), boxes, match, none, none
            )
        areas = exclusive_ends(boxes) if self.plus_one else boxes
        picked, picked_labels, box_scores = self.pick(areas, scores, classes)
        match, foreground, best = self.match(
            box_ious(areas[picked], areas), box_scores, picked_labels
        )
        labels = torch.where(foreground, picked_labels[match], num_classes)
        weights = torch.where(best < self.ignore_iou_thr, 0, box_scores[match])
        return PseudoLabels(labels, weights, boxes[picked[match]], match, picked, picked_labels)


def exclusive_ends(boxes: Tensor) -> Tensor:
    """Boxes (..., 4) whose x2 and y2 are their last pixels, with x2 and y2 one pixel further."""
    return boxes + boxes.new_tensor([0, 0, 1, 1])


def box_ious(rows: Tensor, columns: Tensor) -> Tensor:
    """IoUs (P, R) of boxes (P, 4) and (R, 4); 0 for boxes without area.

    The numbers of mmdet's ``bbox_overlaps``, which spends most of its time on arrays (P, R, 2).
    """
    left, top, right, bottom = columns.t().contiguous()
    row_left, row_top, row_right, row_bottom = rows.t().contiguous()[..., None]
    inter = torch.minimum(right, row_right).sub_(torch.maximum(left, row_left)).clamp_(min=0)
    height = torch.minimum(bottom, row_bottom).sub_(torch.maximum(top, row_top)).clamp_(min=0)
    inter.mul_(height)
    areas = (right - left) * (bottom - top)
    row_areas = (row_right - row_left) * (row_bottom - row_top)
    return inter.div_((areas + row_areas).sub_(inter).clamp_(min=1e-6))
