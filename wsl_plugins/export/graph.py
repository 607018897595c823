"""What an ONNX file computes: from RGB pixels to arrays, without a data sample."""

from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import ImgDataPreprocessor
from torch import Tensor, nn

Shape = tuple[int | str, ...]


class ExportError(ValueError):
    """A model that cannot be exported, or a file that does not compute what the model does."""


class Graph(nn.Module):
    """A model as a function of tensors, which ``torch.onnx`` can follow.

    It is in evaluation mode from the start: layers that drop are off, batch normalisation has its
    own statistics.

    Args:
        model: with its weights; a detector of mmdet or a classifier of mmpretrain.

    Attributes:
        inputs: name and shape of each input; a side with a name may have any length.
        outputs: the same of each output.
        unordered: whether the rows of the outputs are in the order of scores, which rounding
            changes.

    Raises:
        ExportError: the data preprocessor is none whose work is known.
    """

    inputs: dict[str, Shape] = dict(image=('N', 3, 'H', 'W'))
    outputs: dict[str, Shape]
    unordered = False
    model: Any
    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        pre: Any = model.data_preprocessor
        if not (isinstance(pre, ImgDataPreprocessor) or hasattr(pre, 'to_rgb')):
            raise ExportError(
                f'data_preprocessor {type(pre).__name__}: only those of mmdet and mmpretrain, with '
                'mean, std and order of channels, can be put into the graph'
            )
        self.model = model
        # pipelines read BGR, so that a model which swaps the channels sees RGB
        self.sees_rgb = bool(getattr(pre, '_channel_conversion', getattr(pre, 'to_rgb', False)))
        self.mean, self.std = (
            (pre.mean, pre.std) if pre._enable_normalize else (torch.zeros(1), torch.ones(1))
        )
        self.divisor = getattr(pre, 'pad_size_divisor', 1)
        self.pad_value = getattr(pre, 'pad_value', 0)
        self.eval()

    def network_input(self, image: Tensor) -> Tensor:
        """Normalised and padded (N, 3, H', W') float32 of RGB pixels (N, 3, H, W) uint8."""
        pixels = image.float() if self.sees_rgb else image.float()[:, [2, 1, 0]]
        pixels = (pixels - self.mean.to(pixels)) / self.std.to(pixels)
        if self.divisor > 1:
            height, width = image.shape[2:]
            margins = (0, -width % self.divisor, 0, -height % self.divisor)
            pixels = F.pad(pixels, margins, value=self.pad_value)
        return pixels

    def example(self, number: int, images: int, height: int, width: int) -> tuple[Tensor, ...]:
        """Inputs of another content for each ``number``.

        Images are noise of many scales, so that features are not all alike.
        """
        generator = torch.Generator().manual_seed(number)
        pixels = torch.zeros(images, 3, height, width)
        for side in (2, 8, 32):
            noise = torch.rand(images, 3, side, side, generator=generator)
            pixels += F.interpolate(noise, (height, width), mode='bilinear') / 3
        return ((pixels * 255).round().byte(),)


def clip(boxes: Tensor, height: int | Tensor, width: int | Tensor) -> Tensor:
    """Boxes (..., 4) within an image, whose sides may be traced numbers."""
    limits = [torch.as_tensor(side).to(boxes) for side in (width, height)] * 2
    return torch.minimum(boxes.clamp(min=0), torch.stack(limits))
