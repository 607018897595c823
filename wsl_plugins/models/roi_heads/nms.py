"""From scored boxes to detections."""

from mmengine.structures import InstanceData
from torch import Tensor

from mmdet.models.layers import multiclass_nms
from mmdet.utils import ConfigType


def nms_per_class(boxes: Tensor, scores: Tensor, test_cfg: ConfigType) -> InstanceData:
    """Class-wise NMS of one image's boxes (R, 4) or (R, 4C) with scores (R, C + 1)."""
    dets, labels = multiclass_nms(
        boxes, scores, test_cfg['score_thr'], test_cfg['nms'], test_cfg['max_per_img']
    )
    return InstanceData(bboxes=dets[:, :4], scores=dets[:, 4], labels=labels)
