"""RoI max pooling that is the same with every mmcv."""

import torch
import torchvision
from mmengine.utils import to_2tuple
from torch import Tensor

from wsl_plugins.registry import MODELS


@MODELS.register_module()
class RoIPool(torchvision.ops.RoIPool):
    """Torchvision's RoI max pooling (Girshick, Fast R-CNN, ICCV 2015), on CPU and GPU.

    As the Caffe layer of Fast R-CNN: corners are rounded to whole cells and the last cell belongs
    to the box. The compiled ``RoIPool`` of mmcv does neither, but adds 1 px to x2 and y2, and has
    no kernel for a CPU; a model that names it depends on how mmcv was installed. Half precision is
    computed in float32 and rounded at the end.

    Args:
        output_size: cells of the result, (h, w) or one number for both.
        spatial_scale: cells of the map per pixel of the network input; the extractor gives it.
            Default 1.

    Example:
        >>> extractor = dict(
        ...     type='wsl_plugins.SingleRoIExtractor',
        ...     roi_layer=dict(type='wsl_plugins.RoIPool', output_size=7),
        ...     out_channels=512, featmap_strides=[8])
    """

    def __init__(self, output_size: int | tuple[int, int], spatial_scale: float = 1.0) -> None:
        super().__init__(to_2tuple(output_size), spatial_scale)

    def forward(self, feats: Tensor, rois: Tensor) -> Tensor:
        """Maxima (R, C, h, w) of maps (N, C, H, W) in rois (R, 5): image index, then xyxy pixels
        of the network input without "+1"."""
        dtype = torch.promote_types(feats.dtype, torch.float32)
        return super().forward(feats.to(dtype), rois.to(dtype)).to(feats.dtype)
