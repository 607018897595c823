"""The feature map of a detector whose backbone and neck are frozen."""

import copy

import torch
from torch import Tensor

from wsl_plugins.models.roi_heads.constant_layers import alike, check_untrained, to_device

from mmdet.models.detectors import FastRCNN


def map_layers(model: FastRCNN) -> list[str]:
    """Names of the layers up to the map."""
    return ['backbone', 'neck'] if model.with_neck else ['backbone']


class DenseMaps:
    """What backbone and neck compute of an image.

    Args:
        model: The detector, with its weights.

    Attributes:
        layers: names of these layers.
        averaged: False.

    Example:
        >>> DenseMaps(model)(data).shape  # doctest: +SKIP
        torch.Size([30, 40, 1280])
    """

    averaged = False

    def __init__(self, model: FastRCNN) -> None:
        self.model = model.eval()
        self.layers = map_layers(model)

    @torch.no_grad()
    def __call__(self, data: dict) -> Tensor:
        """Map (h, w, C), float32, of a collated sample of one image.

        Raises:
            ValueError: There are several maps.
        """
        return self._maps(self.model, data)[0].permute(1, 2, 0).float()

    @torch.no_grad()
    def check(self, data: dict) -> None:
        """Whether the layers compute the same in each epoch.

        Args:
            data: A collated sample of one image.

        Raises:
            ValueError: One trains, or computes otherwise in training than in evaluation.
        """
        check_untrained(self.model, self.layers, 'config')
        training = copy.deepcopy(self.model).train()
        if not alike(self._maps(self.model, data), self._maps(training, data)):
            raise ValueError(
                'config: backbone or neck compute otherwise in training than in evaluation '
                '(norm_eval=True keeps the statistics of batch normalisation)'
            )

    @staticmethod
    def _maps(model: FastRCNN, data: dict) -> Tensor:
        inputs = model.data_preprocessor(data, False)['inputs']
        if inputs.device.type == 'cpu':  # convolutions take two thirds of the time in this layout
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        maps = model.extract_feat(inputs)
        if len(maps) != 1:
            raise ValueError(
                f'config: backbone or neck give {len(maps)} maps; one can be cached (out_indices)'
            )
        return maps[0]


def skip_to_maps(model: FastRCNN) -> None:
    """Let a detector take maps in place of images. All else, its weights too, stays.

    Maps of several sizes are padded with zeros below and to the right.

    Args:
        model: The detector.
    """
    model.data_preprocessor.forward = to_device(model.data_preprocessor.cast_data, _batched)
    model.backbone.forward = _as_levels
    if model.with_neck:
        model.neck.forward = _same


def _batched(maps: list[Tensor]) -> Tensor:
    channels = len(maps[0])
    height, width = (max(one.shape[dim] for one in maps) for dim in (1, 2))
    padded = torch.zeros(len(maps), height, width, channels, device=maps[0].device)
    padded = padded.permute(0, 3, 1, 2)  # channels last, as in the file: not turned
    for place, one in enumerate(maps):
        padded[place, :, : one.shape[1], : one.shape[2]] = one
    return padded


def _as_levels(inputs: Tensor) -> tuple[Tensor, ...]:
    return (inputs,)


def _same(inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return inputs
