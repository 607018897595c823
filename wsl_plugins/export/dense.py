"""Dense detectors as graphs: boxes and scores of all priors."""

from typing import Any

import torch
from torch import Tensor

from wsl_plugins.export.graph import ExportError, Graph, clip

from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder, DistancePointBBoxCoder

MMDEPLOY = 'mmdeploy (https://github.com/open-mmlab/mmdeploy) may export it'


def check_coder(coder: Any) -> None:
    """Whether boxes are decoded by a coder whose work is known.

    Raises:
        ExportError: another one.
    """
    if type(coder) not in (DeltaXYWHBBoxCoder, DistancePointBBoxCoder):
        raise ExportError(f'bbox_coder {type(coder).__name__} has no form here; {MMDEPLOY}')


def check_method(component: Any, name: str, *known: type) -> None:
    """Whether a component predicts as one of these classes does.

    Raises:
        ExportError: it has a method of its own.
    """
    if getattr(type(component), name, None) not in [getattr(one, name) for one in known]:
        raise ExportError(f'{type(component).__name__} predicts in a way of its own; {MMDEPLOY}')


class DenseDetector(Graph):
    """Detector of one stage: RetinaNet, FCOS, ATSS, RTMDet and others with their way to predict.

    Boxes (N, P, 4), xyxy in pixels of the input, within it, and scores (N, P, C) of all priors.

    Args:
        model: detector with a dense head.

    Raises:
        ExportError: its head predicts in a way of its own, or its coder is not known.
    """

    outputs = dict(boxes=('N', 'P', 4), scores=('N', 'P', 'C'))

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        for name in ('predict', 'predict_by_feat', '_predict_by_feat_single', '_bbox_post_process'):
            check_method(model.bbox_head, name, BaseDenseHead)
        check_coder(model.bbox_head.bbox_coder)
        if getattr(model.bbox_head.loss_cls, 'custom_cls_channels', False):
            raise ExportError(f'{type(model.bbox_head).__name__}: scores of its own; {MMDEPLOY}')

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Boxes and scores."""
        head = self.model.bbox_head
        outputs = head(self.model.extract_feat(self.network_input(image)))
        scores, boxes = zip(*dense_levels(head, *outputs), strict=True)
        all_boxes = torch.cat(boxes, dim=1)
        if head.bbox_coder.clip_border:
            all_boxes = clip(all_boxes, *image.shape[2:])
        return all_boxes, torch.cat(scores, dim=1)


def dense_levels(
    head: Any,
    logits: list[Tensor],
    offsets: list[Tensor],
    factors: list[Tensor] | None = None,
) -> list[tuple[Tensor, Tensor]]:
    """Scores (N, P, C) and boxes (N, P, 4), not clipped, of each level of a dense head.

    Args:
        head: of mmdet.
        logits: (N, A * C, h, w) of each level.
        offsets: (N, A * 4, h, w) of each level.
        factors: (N, A, h, w) of each level: logits of what scores are multiplied by (centerness).
    """
    sizes = [level.shape[-2:] for level in logits]
    priors = head.prior_generator.grid_priors(sizes, offsets[0].dtype, offsets[0].device)
    levels = []
    for number, prior in enumerate(priors):
        images = logits[number].shape[0]
        score = logits[number].permute(0, 2, 3, 1).reshape(images, -1, head.cls_out_channels)
        score = score.sigmoid() if head.use_sigmoid_cls else score.softmax(dim=-1)[..., :-1]
        if factors is not None:
            factor = factors[number].permute(0, 2, 3, 1).reshape(images, -1, 1)
            score = score * factor.sigmoid()
        offset = offsets[number].permute(0, 2, 3, 1).reshape(-1, 4)
        boxes = head.bbox_coder.decode(prior.repeat(images, 1), offset)
        levels.append((score, boxes.reshape(images, -1, 4)))
    return levels
