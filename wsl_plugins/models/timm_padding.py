"""Where the cells of networks with TensorFlow's padding lie."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def centre_cells(network: nn.Module, level: int = -1) -> int:
    """Centre the cells of a timm network whose strided layers pad as TensorFlow does.

    Such a layer of stride 2 with an odd kernel puts cell i of an even input on pixel 2 i + 1, half
    a pixel below and to the right of the middle of the two pixels that the cell stands for. Five of
    them add up: 0.5 (1 + 2 + 4 + 8 + 16) = 15.5 pixels. When the last of them takes pixel 2 i of
    its input the sum is 0.5 (1 + 2 + 4 + 8 - 16) = -0.5. Every weight is used as before: cells
    whose receptive field lies inside of the image have the values that the network gives for it
    16 pixels further down and to the right. Only one stride can be centred so.

    Args:
        network: of timm, nothing of which lies behind the level.
        level: of features whose cells are centred. Default -1, the last.

    Returns:
        The level's stride, of which the sides of images have to be multiples (others must be padded
        behind); 1, and nothing was changed, if the network does not pad so, or has strided layers
        beside one another (NFNet, ResNetV2, CoAtNet), which lie differently by themselves.

    Example:
        >>> import timm
        >>> centre_cells(timm.create_model('tf_efficientnet_lite0'))
        32
        >>> centre_cells(timm.create_model('resnet18'))
        1
    """
    strided = _strided_layers(network)
    features: Any = network.feature_info
    stride = features[level]['reduction']
    if not all(map(_pads_as_tensorflow, strided)) or 2 ** len(strided) != stride:
        return 1
    strided[-1].register_forward_pre_hook(_one_more)
    strided[-1].register_forward_hook(_one_less)
    return stride


def pad_behind(image: Tensor, stride: int) -> Tensor:
    """Images (N, C, H, W) with zeros below and to the right: sides are multiples of the stride."""
    height, width = image.shape[-2:]
    below, right = -height % stride, -width % stride
    pads = torch.jit.is_tracing() or below or right  # a trace is for images of any size
    return F.pad(image, (0, right, 0, below)) if pads else image


def _strided_layers(network: nn.Module) -> list[nn.Module]:
    """In their order; MixNet's kernels of several sizes side by side are one layer."""
    from timm.layers import MixedConv2d

    found, mixed = [], ''
    for name, layer in network.named_modules():
        if mixed and name.startswith(mixed):
            continue
        mixed = f'{name}.' if isinstance(layer, MixedConv2d) else ''
        first = next(iter(layer.values())) if mixed else layer
        if max(_pair(getattr(first, 'stride', 1))) > 1:
            found.append(layer)
    return found


def _pads_as_tensorflow(layer: nn.Module) -> bool:
    """Whether cell i of an even input is centred on pixel 2 i + 1, whatever the odd kernel."""
    from timm.layers import CondConv2d, Conv2dSame, MixedConv2d

    if isinstance(layer, MixedConv2d):
        return all(map(_pads_as_tensorflow, layer.values()))
    if not isinstance(layer, Conv2dSame) and not (
        isinstance(layer, CondConv2d) and layer.dynamic_padding
    ):
        return False
    odd = all(side % 2 and side > 1 for side in _pair(layer.kernel_size))
    return odd and _pair(layer.stride) == (2, 2)


def _pair(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value, value)


def _one_more(layer: nn.Module, inputs: tuple) -> tuple:
    """A pixel on each side: what was 2 i + 1 is 2 i, and there is one cell too many."""
    return F.pad(inputs[0], (1, 1, 1, 1)), *inputs[1:]


def _one_less(layer: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
    return output[..., :-1, :-1]
