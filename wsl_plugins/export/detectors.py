"""Detectors of two stages as graphs: boxes and scores of all classes, before suppression."""

from typing import Any

import torch
from torch import Tensor

from wsl_plugins.export.dense import MMDEPLOY, check_coder, check_method, dense_levels
from wsl_plugins.export.graph import ExportError, Graph, clip
from wsl_plugins.export.roi_extractors import ExtractorInExport
from wsl_plugins.models.roi_heads import QualityBBoxHead, WSODRoIHead

from mmdet.models.dense_heads import RPNHead
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.roi_heads.bbox_heads import BBoxHead


class RoIDetector(Graph):
    """Detector that is given its proposals: WSDDN, OICR, PCL, MIST, SDCN, Fast R-CNN.

    Boxes (R, C, 4), xyxy in pixels of the input, within it, and scores (R, C) of each proposal: the
    same box for each class without a regression of its own.

    Args:
        model: detector of two stages.

    Raises:
        ExportError: its RoI head, its coder or its extractor is none that is known.
    """

    inputs = dict(image=(1, 3, 'H', 'W'), rois=('R', 4))
    outputs = dict(boxes=('R', 'C', 4), scores=('R', 'C'))

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        head = model.roi_head
        if not isinstance(head, WSODRoIHead):
            check_method(head, 'predict_bbox', StandardRoIHead)
            check_method(head.bbox_head, '_predict_by_feat_single', BBoxHead, QualityBBoxHead)
            check_coder(head.bbox_head.bbox_coder)
            if head.with_mask:
                raise ExportError(f'{type(head).__name__} predicts masks, too; {MMDEPLOY}')
            if head.bbox_head.custom_cls_channels or not head.bbox_head.with_reg:
                raise ExportError(f'{type(head.bbox_head).__name__}: scores of its own; {MMDEPLOY}')
        if not isinstance(head.bbox_roi_extractor, ExtractorInExport):
            head.bbox_roi_extractor = ExtractorInExport(head.bbox_roi_extractor)

    def example(self, number: int, images: int, height: int, width: int) -> tuple[Tensor, ...]:
        """An image and ten boxes for each of ``number``, the first of them the image."""
        generator = torch.Generator().manual_seed(number)
        points = torch.rand(10 * number, 2, 2, generator=generator) * torch.tensor([width, height])
        points[0] = torch.tensor([[0, 0], [width, height]])
        boxes = torch.cat([points.amin(dim=1), points.amax(dim=1)], dim=1)
        return (*super().example(number, images, height, width), boxes)

    def forward(self, image: Tensor, rois: Tensor) -> tuple[Tensor, Tensor]:
        """Boxes and scores."""
        maps = self.model.extract_feat(self.network_input(image))
        return self.detect(maps, rois, *image.shape[2:])

    def detect(
        self, maps: tuple[Tensor, ...], boxes: Tensor, height: int | Tensor, width: int | Tensor
    ) -> tuple[Tensor, Tensor]:
        """Boxes (R, C, 4) and scores (R, C) of proposals (R, 4)."""
        head = self.model.roi_head
        rois = torch.cat([torch.zeros_like(boxes[:, :1]), boxes], dim=1)
        if isinstance(head, WSODRoIHead):
            feats = head.roi_features(maps, rois)
            scores, deltas = head.scores_and_deltas(feats, [rois.shape[0]])
            scores = scores[:, : head.num_classes]
            if deltas is not None:
                branch = head.refine_heads[0]
                less = int(branch.plus_one)
                boxes = clip(branch.shifted(boxes, deltas), height - less, width - less)
        else:
            found, branch = head._bbox_forward(maps, rois), head.bbox_head
            logits = found['cls_score'].float()
            if isinstance(branch, QualityBBoxHead):
                quality = logits[:, -1:].sigmoid()
                scores = (logits[:, :-1].softmax(dim=1)[:, :-1] * quality).sqrt()
            else:
                scores = logits.softmax(dim=1)[:, :-1]
            boxes = branch.bbox_coder.decode(boxes, found['bbox_pred'].float())
            if branch.bbox_coder.clip_border:
                boxes = clip(boxes.reshape(boxes.shape[0], -1, 4), height, width)
        boxes = boxes.reshape(boxes.shape[0], -1, 4)
        return boxes.expand(-1, scores.shape[1], -1), scores


class RPNDetector(RoIDetector):
    """:class:`RoIDetector` with a region proposal network in place of given proposals: Faster
    R-CNN. R is what the suppression of the proposals leaves; its limit is in the config.

    Raises:
        ExportError: as :class:`RoIDetector`; or the network is not ``RPNHead`` with plain NMS.
    """

    inputs = dict(image=(1, 3, 'H', 'W'))
    unordered = True

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        rpn = model.rpn_head
        check_method(rpn, '_predict_by_feat_single', RPNHead)
        check_method(rpn, '_bbox_post_process', RPNHead)
        check_coder(rpn.bbox_coder)
        nms = rpn.test_cfg.nms
        if nms.get('type', 'nms') != 'nms' or set(nms) - {'type', 'iou_threshold'}:
            raise ExportError(f'rpn: nms={dict(nms)}: only plain NMS has an operator in ONNX')

    def example(self, number: int, images: int, height: int, width: int) -> tuple[Tensor, ...]:
        """An image."""
        return Graph.example(self, number, images, height, width)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Boxes and scores."""
        maps = self.model.extract_feat(self.network_input(image))
        sides = image.shape[2:]
        return self.detect(maps, self.proposals(maps, *sides), *sides)

    def proposals(
        self, maps: tuple[Tensor, ...], height: int | Tensor, width: int | Tensor
    ) -> Tensor:
        """Boxes (R, 4), as ``RPNHead`` finds them."""
        rpn, cfg = self.model.rpn_head, self.model.rpn_head.test_cfg
        scores, boxes, levels = [], [], []
        for level, (score, box) in enumerate(dense_levels(rpn, *rpn(maps))):
            best, order = score[0, :, 0].sort(descending=True)
            order = order[: cfg.nms_pre] if cfg.get('nms_pre', 0) > 0 else order
            scores.append(best[: order.shape[0]])
            boxes.append(box[0, order])
            levels.append(torch.full_like(scores[-1], level))
        all_scores, all_levels = torch.cat(scores), torch.cat(levels)
        all_boxes = torch.cat(boxes)
        if rpn.bbox_coder.clip_border:
            all_boxes = clip(all_boxes, height, width)
        if cfg.get('min_bbox_size', -1) >= 0:
            sides = all_boxes[:, 2:] - all_boxes[:, :2]
            large = (sides.amin(dim=1) > cfg.min_bbox_size).nonzero()[:, 0]
            all_scores, all_levels = all_scores[large], all_levels[large]
            all_boxes = all_boxes[large]
        farthest = torch.cat([all_boxes, all_boxes.new_zeros(1, 4)]).amax()
        apart = all_boxes + (all_levels * (farthest + 1))[:, None]
        kept = torch.ops.torchvision.nms(apart, all_scores, cfg.nms.iou_threshold)
        return all_boxes[kept[: cfg.max_per_img]]
