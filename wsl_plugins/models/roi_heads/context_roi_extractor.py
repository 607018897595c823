"""RoI extractor: means over each box and over its surroundings."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor

from wsl_plugins.models.layers.box_means import box_and_frame_means, cell_and_frame_means
from wsl_plugins.registry import MODELS


@MODELS.register_module()
class ContextRoIExtractor(BaseModule):
    """Mean of feature maps over each box, and over the frame around it.

    The context of ContextLocNet (Kantorov et al., ECCV 2016, arxiv.org/abs/1609.04331), whose frame
    is the box enlarged 1.8 times without the box, on means in place of 7 x 7 pooled cells. Exact to
    fractions of cells (:func:`wsl_plugins.models.layers.box_means.box_and_frame_means`), and so
    fast that all proposals of an image take milliseconds: the time of an integral image, whatever
    the sizes of the boxes. Goes with :class:`wsl_plugins.ContextWSDDNHead`; other heads take the
    two means as one longer vector.

    With ``output_size`` a box has that many rows and columns of means, for layers that drop some of
    them; their mean is that of the box. Such a layer (which scales what it keeps) does not change
    the frame, whose mean stands in every cell. Time and memory grow with the square.

    Boxes and frames end at the borders of the map. The frame of a box that fills the map is zeros;
    images that are padded in a batch have their padding in frames, so one image at a time is best
    (``accumulative_counts`` of the optimiser's wrapper makes steps of several).

    Of several maps, such as those of several levels of a network, come the means of a box over all
    of them, then those of its frame. Fine levels see small objects, coarse ones large ones.

    Args:
        stride: pixels of the network input per cell of the map; of several maps one each. Default
            16.
        ratio: of the sides of the frame to those of its box, above 1. Default 1.8.
        output_size: rows and columns of a box. Default 1.
        border: rows and columns of cells of that size on each side of the box, too, for
            :class:`wsl_plugins.ContextBBoxHead`; zeros outside the map. The frame is one more cell
            then, not a copy in each. Default 0.
        offset: cells by which the maps lie below and to the right of where resizing takes them to
            be; 0.5 for the maps of ``TimmBackbone`` with ``centred=False`` and TensorFlow's
            padding. Default 0.
        init_cfg: mmengine initialisation. Default: none; there are no weights.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> extractor = ContextRoIExtractor(stride=16)
        >>> rois = torch.tensor([[0, 16.0, 16, 64, 48]])  # number of the image, then xyxy pixels
        >>> extractor((torch.rand(1, 8, 20, 30),), rois).shape
        torch.Size([1, 16, 1, 1])
        >>> ContextRoIExtractor(output_size=7)((torch.rand(1, 8, 20, 30),), rois).shape
        torch.Size([1, 16, 7, 7])
        >>> maps = (torch.rand(1, 8, 40, 60), torch.rand(1, 32, 20, 30))
        >>> ContextRoIExtractor(stride=[8, 16])(maps, rois).shape
        torch.Size([1, 80, 1, 1])
    """

    takes_maps = True  # its output is not worth caching: dense maps are

    def __init__(
        self,
        stride: float | Sequence[float] = 16,
        ratio: float = 1.8,
        output_size: int = 1,
        offset: float = 0.0,
        border: int = 0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        strides = tuple(stride) if isinstance(stride, Sequence) else (stride,)
        if not strides or not min(strides) > 0:
            raise ValueError(f'stride must be above 0, got {stride}')
        if not 1 < ratio < float('inf'):
            raise ValueError(f'ratio must be above 1 and finite, got {ratio}')
        if output_size < 1:
            raise ValueError(f'output_size must be above 0, got {output_size}')
        if border < 0:
            raise ValueError(f'border must be at least 0, got {border}')
        self.strides = strides
        self.num_inputs = len(strides)
        self.ratio = ratio
        self.output_size = output_size
        self.offset = offset
        self.border = border

    def forward(self, feats: tuple[Tensor, ...], rois: Tensor) -> Tensor:
        """(R, 2C, n, n), float32, of maps (N, C_i, H_i, W_i) and rois (R, 5); C is the sum of C_i,
        n is output_size, and the first C channels are those of the box. With a border (R, C,
        n^2 + 1, 1), n = output_size + 2 border: cells row by row, then the frame."""
        more = self.ratio, self.output_size, self.offset
        levels = [(maps, rois, 1 / s) for maps, s in zip(feats, self.strides, strict=True)]
        if self.border:
            means = [cell_and_frame_means(*level, *more, self.border) for level in levels]
            joined = means[0] if len(means) == 1 else torch.cat(means, dim=2)
            return joined.transpose(1, 2)[..., None]
        means = [box_and_frame_means(*level, *more) for level in levels]
        if len(means) == 1:
            return means[0]
        boxes, frames = zip(*(mean.chunk(2, dim=1) for mean in means), strict=True)
        return torch.cat([*boxes, *frames], dim=1)
