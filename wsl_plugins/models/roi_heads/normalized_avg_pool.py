"""Average pooling to vectors of one length."""

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from wsl_plugins.registry import MODELS


@MODELS.register_module()
class NormalizedAvgPool(BaseModule):
    """Mean over space, scaled to a fixed L2 norm, then dropout.

    Of no paper; what it does is in ``configs/oicr/README.md``. (R, C, h, w) become (R, C).

    Follows C5 in a ``shared_head`` list.

    Activations of a ResNet are strongest on discriminative parts, and a linear MIL head on them
    prefers small boxes there. Vectors of one length leave only the direction to compare.

    Args:
        scale: L2 norm of each vector.
        dropout: drop probability. Default 0.
        groups: parts of equal length that are scaled each by itself; 2 for box and frame of
            :class:`wsl_plugins.ContextRoIExtractor`. Default 1.

    Raises:
        ValueError: ``groups`` is below 1.

    Example:
        >>> NormalizedAvgPool(scale=5)(torch.rand(4, 512, 4, 4)).norm(dim=1)
        tensor([5.0000, 5.0000, 5.0000, 5.0000])
    """

    averages_space = True  # cached features of the layers before it need no more than the mean

    def __init__(self, scale: float, dropout: float = 0.0, groups: int = 1) -> None:
        super().__init__()
        if groups < 1:
            raise ValueError(f'groups must be at least 1, got {groups}')
        self.scale = scale
        self.dropout = dropout
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        """Vectors (R, C), float32, of maps (R, C, H, W)."""
        parts = x.float().mean(dim=(2, 3)).unflatten(1, (self.groups, -1))
        vectors = F.normalize(parts, dim=2).flatten(1) * self.scale
        return F.dropout(vectors, self.dropout, self.training)
