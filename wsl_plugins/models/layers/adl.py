"""Attention-based Dropout Layer (CVPR 2019)."""

import torch
from mmengine.model import BaseModule
from torch import Tensor

from wsl_plugins.registry import MODELS


def attention_map(feats: Tensor) -> Tensor:
    """Self-attention: mean over the channels, (N, C, H, W) to (N, 1, H, W)."""
    return feats.mean(dim=1, keepdim=True)


def keep_mask(attention: Tensor, threshold: float) -> Tensor:
    """1 where the attention lies below ``threshold`` times its maximum over the map, else 0.

    Args:
        attention: (N, 1, H, W).
        threshold: in 0..1; at 1 only the maximum itself is dropped, at 0 everything.

    Example:
        >>> keep_mask(torch.tensor([[[[0.2, 0.9, 1.0]]]]), 0.9)
        tensor([[[[1., 0., 0.]]]])
    """
    peak = attention.amax(dim=(2, 3), keepdim=True)
    return (attention < threshold * peak).to(attention.dtype)


@MODELS.register_module()
class ADL(BaseModule):
    """Hides the most discriminative region or weighs by importance, one choice per forward pass.

    Paper: Attention-based Dropout Layer for Weakly Supervised Object Localization, section 3. The
    attention a is the mean over the channels; the importance map is sigmoid(a), the drop mask is
    [a < threshold * max(a)]. In training the features are multiplied by the drop mask with
    probability ``drop_rate``, else by the importance map, for the whole batch. No parameters; in
    evaluation the features pass unchanged.

    Args:
        drop_rate: probability of the drop mask, in 0..1. Default 0.75.
        threshold: share of the map's maximum from which cells are dropped, in 0..1. Default 0.9.

    Raises:
        ValueError: an option outside 0..1.

    Example:
        >>> ADL(drop_rate=1.0, threshold=0.5).train()(torch.tensor([[[[1.0, 3.0, 4.0]]]]))
        tensor([[[[1., 0., 0.]]]])
    """

    def __init__(self, drop_rate: float = 0.75, threshold: float = 0.9) -> None:
        super().__init__()
        for name, value in (('drop_rate', drop_rate), ('threshold', threshold)):
            if not 0 <= value <= 1:
                raise ValueError(f'{name} must lie in 0..1, got {value}')
        self.drop_rate = drop_rate
        self.threshold = threshold

    def forward(self, feats: Tensor) -> Tensor:
        """Features (N, C, H, W), weighted in training."""
        if not self.training:
            return feats
        attention = attention_map(feats)
        if torch.rand(()) < self.drop_rate:
            return feats * keep_mask(attention.detach(), self.threshold)
        return feats * attention.sigmoid()

    def extra_repr(self) -> str:
        return f'drop_rate={self.drop_rate}, threshold={self.threshold}'
