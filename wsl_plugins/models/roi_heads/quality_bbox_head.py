"""R-CNN head with the quality of its box beside the class (OLN-style)."""

from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor, nn

from wsl_plugins.registry import MODELS

from mmdet.models.layers import multiclass_nms
from mmdet.models.roi_heads.bbox_heads import Shared2FCBBoxHead
from mmdet.structures.bbox import bbox_overlaps, get_box_tensor


@MODELS.register_module()
class QualityBBoxHead(Shared2FCBBoxHead):
    """``Shared2FCBBoxHead`` that also predicts the IoU of its own box with the object.

    Localisation quality as in Kim et al., RA-L 2022 (OLN); with a classifier beside it, the
    two-stage head of WEND (Xu et al., ACM MM 2023, "CLN"). The last column of ``cls_score`` is the
    logit of the quality q, so that ``StandardRoIHead`` stays as it is. The target is the IoU of the
    decoded predicted box, without gradient, with its object; positives only, mean binary
    cross-entropy. A box's score is sqrt(p_class * q).

    Args:
        loss_quality: config of the loss of q; by default ``mmdet.CrossEntropyLoss`` with a sigmoid.
        **kwargs: those of ``mmdet.Shared2FCBBoxHead``. ``predict_box_type`` is ``'hbox'``.

    Logs ``loss_quality`` beside the losses of ``Shared2FCBBoxHead``.

    Example:
        >>> from mmengine.registry import init_default_scope
        >>> init_default_scope('mmdet')  # as the runner does
        >>> head = QualityBBoxHead(in_channels=8, num_classes=1)
        >>> head(torch.rand(2, 8, 7, 7))[0].shape  # one class, background, quality
        torch.Size([2, 3])
    """

    def __init__(self, *args, loss_quality: dict | None = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fc_cls: nn.Linear = MODELS.build(
            dict(
                self.cls_predictor_cfg,
                in_features=self.cls_last_dim,
                out_features=self.fc_cls.out_features + 1,
            )
        )
        self.loss_quality = MODELS.build(
            loss_quality or dict(type='mmdet.CrossEntropyLoss', use_sigmoid=True)
        )

    def loss(
        self,
        cls_score: Tensor,
        bbox_pred: Tensor,
        rois: Tensor,
        labels: Tensor,
        label_weights: Tensor,
        bbox_targets: Tensor,
        bbox_weights: Tensor,
        reduction_override: str | None = None,
    ) -> dict[str, Tensor]:
        """Losses of the parent and ``loss_quality``; shapes as in mmdet's ``BBoxHead.loss``."""
        cls_score, quality = cls_score[:, :-1], cls_score[:, -1]
        losses = super().loss(
            cls_score,
            bbox_pred,
            rois,
            labels,
            label_weights,
            bbox_targets,
            bbox_weights,
            reduction_override,
        )
        positive = (labels >= 0) & (labels < self.num_classes)
        if not positive.any():
            losses['loss_quality'] = quality[positive].sum()
            return losses
        deltas = bbox_pred[positive].detach().float()
        if not self.reg_class_agnostic:
            deltas = deltas.view(len(deltas), self.num_classes, -1)
            deltas = deltas[range(len(deltas)), labels[positive]]
        boxes = self._decode(rois[positive], deltas)
        objects = bbox_targets[positive]
        if not self.reg_decoded_bbox:
            objects = self._decode(rois[positive], objects)
        iou = bbox_overlaps(boxes, objects, is_aligned=True)
        losses['loss_quality'] = self.loss_quality(
            quality[positive].float(),
            iou,
            reduction_override=reduction_override,
        )
        return losses

    def _decode(self, rois: Tensor, deltas: Tensor) -> Tensor:
        return get_box_tensor(self.bbox_coder.decode(rois[:, 1:], deltas))

    def _predict_by_feat_single(
        self,
        roi: Tensor,
        cls_score: Tensor,
        bbox_pred: Tensor,
        img_meta: dict,
        rescale: bool = False,
        rcnn_test_cfg: ConfigDict | None = None,
    ) -> InstanceData:
        cls_score, quality = cls_score[:, :-1].float(), cls_score[:, -1:].float()
        results = super()._predict_by_feat_single(
            roi, cls_score, bbox_pred, img_meta=img_meta, rescale=rescale
        )
        # the background column, the last, is not read below
        results.scores = (results.scores * quality.sigmoid()).sqrt()
        if rcnn_test_cfg is None:
            return results
        boxes, labels = multiclass_nms(
            results.bboxes,
            results.scores,
            rcnn_test_cfg.score_thr,
            rcnn_test_cfg.nms,
            rcnn_test_cfg.max_per_img,
        )
        return InstanceData(bboxes=boxes[:, :-1], scores=boxes[:, -1], labels=labels)
