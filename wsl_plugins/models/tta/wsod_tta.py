"""Test-time augmentation for detectors on fixed proposals."""

import torch
from mmengine.model import BaseTTAModel
from torch import Tensor

from wsl_plugins.models.roi_heads.nms import nms_per_class
from wsl_plugins.registry import MODELS

from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_flip


@MODELS.register_module()
class WSODTTAModel(BaseTTAModel):
    """Averages each proposal's scores and boxes over the views (scales x flips), then one
    class-wise NMS.

    Tang et al., CVPR 2017. Boxes (R, 4) and scores (R, C + 1) of a view are means
    over all views.

    Proposals are the same in every view, so this is the protocol of OICR and MIST; mmdet's
    ``DetTTAModel`` can only concatenate. NMS settings are the detector's own ``test_cfg.rcnn``.

    Args:
        module: the detector, with :class:`WSODRoIHead`, or its configuration.
        merge: ``'mean'`` (default) or ``'union'`` (keep the proposals of all views, then NMS).
        data_preprocessor: replaces that of the detector. Default: none.

    Raises:
        ValueError: unknown ``merge``; views of one image with different numbers of proposals.

    Example:
        >>> # in a config, for tools/test.py --tta
        >>> tta_model = dict(type='wsl_plugins.WSODTTAModel', merge='mean')
    """

    def __init__(
        self, module: dict, merge: str = 'mean', data_preprocessor: dict | None = None
    ) -> None:
        if merge not in ('mean', 'union'):
            raise ValueError(f"merge must be 'mean' or 'union', got {merge!r}")
        super().__init__(module, data_preprocessor)
        self.merge = merge
        self.nms_cfg = self.module.roi_head.test_cfg
        self.module.roi_head.test_cfg = None  # every proposal with its scores, no NMS per view

    def merge_preds(self, data_samples_list: list[list[DetDataSample]]) -> list[DetDataSample]:
        """One sample per image from its views."""
        return [self._merge_views(views) for views in data_samples_list]

    def _merge_views(self, views: list[DetDataSample]) -> DetDataSample:
        boxes = [unflipped_boxes(view) for view in views]
        scores = [view.pred_instances.scores for view in views]
        if self.merge == 'union':
            merged = torch.cat(boxes), torch.cat(scores)
        else:
            if len({len(b) for b in boxes}) > 1:
                raise ValueError(
                    f'the views of {views[0].img_path} have {[len(b) for b in boxes]} '
                    "proposals: tta_pipeline drops boxes, merge='mean' needs them all"
                )
            merged = torch.stack(boxes).mean(dim=0), torch.stack(scores).mean(dim=0)
        result = views[0].new()
        result.pred_instances = nms_per_class(*merged, self.nms_cfg)
        return result


def unflipped_boxes(view: DetDataSample) -> Tensor:
    """Boxes (R, 4 or 4C) of a view, in the pixels of the original image, flipped back."""
    boxes = view.pred_instances.bboxes
    if not view.metainfo.get('flip'):
        return boxes
    return bbox_flip(boxes, view.ori_shape, view.flip_direction)
