"""R-CNN head that leaves out the RoIs which pseudo boxes seem to have labelled wrongly."""

import torch
from torch import Tensor

from wsl_plugins.registry import MODELS

from mmdet.models.roi_heads.bbox_heads import ConvFCBBoxHead


@MODELS.register_module()
class RoIDropBBoxHead(ConvFCBBoxHead):
    """``ConvFCBBoxHead`` whose RoIs of outlying loss do not count.

    RoI drop regularisation, after Zhu et al., "WeakSAM" (ACM MM 2024, arXiv 2402.14812): pseudo
    boxes miss objects and invent others, and the RoIs there have a large loss long after the others
    have learned. The rule is ours: the loss of a RoI is that of its class plus that of its box; of
    the RoIs of one class (background is one, too) in one image, those whose loss exceeds the mean
    by more than ``deviations`` standard deviations are left out of both losses. Of n RoIs none
    exceeds it by more than (n - 1) / sqrt(n): ten or fewer always count with the default.

    For ``StandardRoIHead`` of any detector of mmdet. Logs ``roi_dropped``, the share left out.

    Args:
        deviations: at least 0. Default 3.
        num_shared_fcs: Default 2, as in ``Shared2FCBBoxHead``.
        **kwargs: those of ``mmdet.ConvFCBBoxHead``.

    Raises:
        ValueError: ``deviations`` is below 0 or not finite.

    Example:
        >>> from mmengine.registry import init_default_scope
        >>> init_default_scope('mmdet')  # as the runner does
        >>> head = RoIDropBBoxHead(in_channels=8, num_classes=1)
        >>> losses = torch.tensor([0.1] * 20 + [9.0, 0.2])
        >>> images, labels = torch.zeros(22), torch.zeros(22, dtype=torch.long)
        >>> head.outlying(losses, images, labels).nonzero().tolist()
        [[20]]
    """

    def __init__(self, *args, deviations: float = 3.0, num_shared_fcs: int = 2, **kwargs) -> None:
        if not 0 <= deviations < float('inf'):
            raise ValueError(f'deviations must be finite and at least 0, got {deviations}')
        super().__init__(*args, num_shared_fcs=num_shared_fcs, **kwargs)
        self.deviations = deviations

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
    ) -> dict:
        """Losses without the outlying RoIs; see ``BBoxHead.loss``."""
        rest = cls_score, bbox_pred, rois, labels
        with torch.no_grad():
            each = super().loss(*rest, label_weights, bbox_targets, bbox_weights, 'none')
            losses = label_weights.new_zeros(len(labels))
            if len(labels):
                losses += each['loss_cls'].float().reshape(len(labels), -1).sum(dim=1)
            positive = (labels >= 0) & (labels < self.num_classes)
            if positive.any():
                of_boxes = each['loss_bbox'].float().reshape(int(positive.sum()), -1)
                losses[positive] += of_boxes.sum(dim=1)
            counted = label_weights > 0
            drop = torch.zeros_like(counted)
            drop[counted] = self.outlying(losses[counted], rois[counted, 0], labels[counted])
        kept = (~drop).to(label_weights)
        losses_of_rest = super().loss(
            *rest,
            label_weights * kept,
            bbox_targets,
            bbox_weights * kept[:, None],
            reduction_override,
        )
        return losses_of_rest | dict(roi_dropped=drop.float().sum() / counted.sum().clamp(min=1))

    def outlying(self, losses: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """Which losses are outliers among those of their label in their image.

        Args:
            losses: (R,).
            images: (R,) number of the image in the batch.
            labels: (R,).

        Returns:
            (R,) bool.
        """
        groups = images.long() * (self.num_classes + 1) + labels
        _, places, counts = groups.unique(return_inverse=True, return_counts=True)
        zeros = losses.new_zeros(len(counts), dtype=torch.float64)
        mean = zeros.index_add(0, places, losses.double()) / counts
        offsets = losses.double() - mean[places]
        variance = zeros.index_add(0, places, offsets**2) / counts
        return offsets > self.deviations * variance.sqrt()[places]
