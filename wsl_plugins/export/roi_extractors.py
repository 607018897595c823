"""RoI extractors in operators that ONNX has."""

from typing import Any

import torch
import torchvision
from torch import Tensor, nn

from wsl_plugins import ops
from wsl_plugins.export.graph import ExportError
from wsl_plugins.models.roi_heads import ContextRoIExtractor

import mmcv.ops
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor


def pool(layer: Any, feats: Tensor, rois: Tensor) -> Tensor:
    """RoIs (R, 5) of one map, (R, C, h, w), by an operator of torchvision."""
    size = layer.output_size
    if isinstance(layer, mmcv.ops.RoIAlign):
        rest = max(layer.sampling_ratio, 0), layer.aligned
        return torchvision.ops.roi_align(feats, rois, size, layer.spatial_scale, *rest)
    return torchvision.ops.roi_pool(feats, rois, size, layer.spatial_scale)


class ExtractorInExport(nn.Module):
    """An RoI extractor; while it is exported, by operators that ONNX has.

    Args:
        extractor: ``SingleRoIExtractor`` of mmdet or of this package with RoIAlign or RoIPool, or
            :class:`wsl_plugins.ContextRoIExtractor`.

    Raises:
        ExportError: another extractor or another layer.
    """

    extractor: Any

    def __init__(self, extractor: nn.Module) -> None:
        super().__init__()
        self.extractor = extractor
        self.num_inputs = getattr(extractor, 'num_inputs', None)
        if isinstance(extractor, ContextRoIExtractor):
            return
        if getattr(type(extractor), 'forward', None) is not SingleRoIExtractor.forward:
            raise ExportError(
                f'bbox_roi_extractor {type(extractor).__name__}: only SingleRoIExtractor and '
                'wsl_plugins.ContextRoIExtractor have a form in ONNX'
            )
        pools: tuple[type, ...] = (torchvision.ops.RoIPool,)
        if ops.is_stand_in():  # the compiled one pools other cells
            pools = *pools, mmcv.ops.RoIPool
        layers: Any = extractor.roi_layers
        for layer in layers:
            align = isinstance(layer, mmcv.ops.RoIAlign) and layer.pool_mode == 'avg'
            if not align and not isinstance(layer, pools):
                raise ExportError(
                    f'roi_layer {type(layer).__name__}: only RoIAlign (averages) and '
                    'wsl_plugins.RoIPool have an operator in ONNX'
                )

    def forward(self, feats: tuple[Tensor, ...], rois: Tensor) -> Tensor:
        """What the extractor gives for rois (R, 5)."""
        if not torch.onnx.is_in_onnx_export():
            return self.extractor(feats, rois)
        if isinstance(self.extractor, ContextRoIExtractor):
            # sums in float64: runtimes add up in the type of the map, torch in a wider one
            return self.extractor(tuple(feat.double() for feat in feats), rois.double()).float()
        layers = self.extractor.roi_layers
        if len(feats) == 1:
            return pool(layers[0], feats[0], rois)
        levels = self.extractor.map_roi_levels(rois, len(feats))
        places = [(levels == level).nonzero()[:, 0] for level in range(len(feats))]
        parts = [
            pool(layer, feat, rois[place])
            for layer, feat, place in zip(layers, feats, places, strict=True)
        ]
        return torch.cat(parts)[torch.cat(places).argsort()]
