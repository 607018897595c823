"""Centre baseline: the score map of an image nobody has looked at."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModel
from torch import Tensor

from wsl_plugins.registry import MODELS

from mmpretrain.structures import DataSample


def center_gaussian(size: Sequence[int]) -> Tensor:
    """exp(-(x^2 + y^2) / 2) with x, y from -1 to 1 over the pixels' centres: (H, W).

    Example:
        >>> center_gaussian((3, 3))[1]
        tensor([0.8007, 1.0000, 0.8007])
    """
    y, x = ((torch.arange(n) + 0.5) * 2 / n - 1 for n in size)
    return torch.exp(-(x[None, :] ** 2 + y[:, None] ** 2) / 2)


@MODELS.register_module()
class CenterGaussian(BaseModel):
    """Isotropic Gaussian of standard deviation 1 (half an image side) at the image centre.

    Paper: Choe et al., CVPR 2020, section 5.1 (center-Gaussian baseline). Nothing is
    learned: only testing makes sense. Data samples get a ``score_map`` of the input's size.

    Args:
        data_preprocessor: options of mmpretrain's ``ClsDataPreprocessor``. Default: none.

    Example:
        >>> CenterGaussian()(torch.rand(1, 3, 224, 224), mode='predict')[0].score_map.shape
        torch.Size([224, 224])
    """

    def __init__(self, data_preprocessor: dict | None = None) -> None:
        preprocessor = dict(type='mmpretrain.ClsDataPreprocessor')
        super().__init__(data_preprocessor=preprocessor | (data_preprocessor or {}))

    def forward(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None, mode: str = 'tensor'
    ) -> Tensor | list[DataSample]:
        """Score maps (N, H, W) in mode ``'tensor'``, data samples in mode ``'predict'``.

        Raises:
            ValueError: mode ``'loss'``: there is nothing to train.
        """
        if mode == 'loss':
            raise ValueError('CenterGaussian has no parameters to train: use tools/test.py')
        score_map = center_gaussian(inputs.shape[-2:]).to(inputs.device)
        if mode == 'tensor':
            return score_map.expand(len(inputs), -1, -1)
        samples = data_samples or [DataSample() for _ in inputs]
        for sample in samples:
            sample.score_map = score_map
        return samples
