"""From feature maps and boxes to a vector of each box."""

from collections.abc import Sequence

from torch import Tensor

from wsl_plugins.registry import MODELS
from wsl_plugins.structures.finite import check_finite_maps

from mmdet.models.roi_heads.base_roi_head import BaseRoIHead
from mmdet.structures.bbox import bbox2roi
from mmdet.utils import ConfigType


class RoIVectors(BaseRoIHead):
    """The part of a RoI head before its branches: pooling, drop layer, layers per proposal.

    Args:
        bbox_roi_extractor: see :class:`WSODRoIHead`, as the other two.
        shared_head: None for no layers.
        drop_layer: None for none.
        **kwargs: of mmdet's ``BaseRoIHead``.
    """

    def __init__(
        self,
        bbox_roi_extractor: ConfigType,
        shared_head: ConfigType | None,
        drop_layer: ConfigType | None,
        **kwargs,
    ) -> None:
        super().__init__(shared_head=shared_head, **kwargs)
        self.bbox_roi_extractor = MODELS.build(bbox_roi_extractor)
        self.drop_layer = MODELS.build(drop_layer) if drop_layer else None

    with_bbox = True  # mmdet asks before it predicts

    def init_bbox_head(self) -> None:
        """Not used: the heads are built from ``mil_head`` and ``refine_head``."""

    def init_mask_head(self) -> None:
        """Not used: image labels train no masks."""

    def init_assigner_sampler(self) -> None:
        """Not used: the sampler of pseudo labels takes this role."""

    def pooled_maps(self, x: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The maps that the extractor pools; an FPN may give more, for an RPN.

        Raises:
            ValueError: there are fewer maps than the extractor has strides.
        """
        number = getattr(self.bbox_roi_extractor, 'num_inputs', None)
        if number is not None and len(x) < number:
            raise ValueError(
                f'bbox_roi_extractor has {number} featmap_strides, the backbone or neck gives '
                f'{len(x)} feature maps: one stride per map is needed'
            )
        return x[:number]

    def roi_features(self, x: tuple[Tensor, ...], rois: Tensor) -> Tensor:
        """The RoI path: feature maps and rois (R, 5) to vectors (R, D).

        Pooling runs in float32: the extractor casts rois to the type of the features, and a
        coordinate of 600 px is off by up to 2 px in bfloat16.
        """
        x = self.pooled_maps(x)
        pooled = self.bbox_roi_extractor(tuple(feat.float() for feat in x), rois)
        if not len(rois):  # the backbone stays in the graph: DDP waits for its gradients
            pooled = pooled + sum(feat.sum() for feat in x) * 0
        if self.drop_layer is not None and self.drop_layer.level == 'roi':
            pooled = self.drop_layer(pooled)
        feats = self.shared_head(pooled) if self.with_shared_head else pooled
        return feats.mean(dim=(2, 3)) if feats.dim() == 4 else feats

    def training_features(self, x: tuple[Tensor, ...], boxes: Sequence[Tensor]) -> Tensor:
        """Vectors (R, D) of a step's proposals, behind the drop layer.

        Raises:
            FloatingPointError: a feature map is not finite.
        """
        check_finite_maps(self.pooled_maps(x))
        if self.drop_layer is not None:
            self.drop_layer.start_step()
            if self.drop_layer.level == 'image':
                x = tuple(self.drop_layer(feat) for feat in self.pooled_maps(x))
        return self.roi_features(x, bbox2roi(boxes))
