"""mmdet's RoI extractor with layers of the registry."""

from torch import nn

from wsl_plugins.registry import MODELS

import mmcv.ops
from mmdet.models.roi_heads import roi_extractors
from mmdet.utils import ConfigType


@MODELS.register_module()
class SingleRoIExtractor(roi_extractors.SingleRoIExtractor):
    """mmdet's ``SingleRoIExtractor``, whose ``roi_layer`` may be named with a scope.

    mmdet takes layers of ``mmcv.ops`` only. Each roi is pooled from one map, chosen by its size
    (FPN, Lin et al., CVPR 2017, equation 1); all options are mmdet's. A ``roi_layer`` without a
    scope, ``'RoIAlign'``, is mmcv's as before.

    Raises:
        ValueError: there is no such layer.

    Example:
        >>> extractor = SingleRoIExtractor(
        ...     roi_layer=dict(type='wsl_plugins.RoIPool', output_size=7),
        ...     out_channels=8, featmap_strides=[16])
        >>> extractor((torch.rand(1, 8, 20, 30),), torch.tensor([[0.0, 0, 0, 99, 99]])).shape
        torch.Size([1, 8, 7, 7])
    """

    def build_roi_layers(self, layer_cfg: ConfigType, featmap_strides: list[int]) -> nn.ModuleList:
        """One layer per map; called by mmdet's constructor."""
        name = layer_cfg['type']
        if isinstance(name, str) and not hasattr(mmcv.ops, name):
            layer = MODELS.get(name)
            if layer is None:
                raise ValueError(
                    f'roi_layer: no {name!r} is registered; wsl_plugins.RoIPool is, and layers of '
                    'mmcv.ops are named without a scope'
                )
            layer_cfg = dict(layer_cfg, type=layer)
        return super().build_roi_layers(layer_cfg, featmap_strides)
