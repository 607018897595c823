"""Average pooling to vectors of one length."""

from collections.abc import Sequence

import torch
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
        groups: parts that are scaled each by itself, a number of equal ones or their channels; 2
            for box and frame of :class:`wsl_plugins.ContextRoIExtractor`, of several maps the
            channels of each, twice. Default 1.

    Raises:
        ValueError: ``groups`` is below 1; or the channels are not those of the maps.

    Example:
        >>> NormalizedAvgPool(scale=5)(torch.rand(4, 512, 4, 4)).norm(dim=1)
        tensor([5.0000, 5.0000, 5.0000, 5.0000])
        >>> NormalizedAvgPool(scale=3, groups=[8, 24])(torch.rand(1, 32, 1, 1))[0, :8].norm()
        tensor(3.)
    """

    averages_space = True  # cached features of the layers before it need no more than the mean

    def __init__(self, scale: float, dropout: float = 0.0, groups: int | Sequence[int] = 1) -> None:
        super().__init__()
        if not groups or min(groups if isinstance(groups, Sequence) else [groups]) < 1:
            raise ValueError(f'groups must be at least 1, got {groups}')
        self.scale = scale
        self.dropout = dropout
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        """Vectors (R, C), float32, of maps (R, C, H, W)."""
        if x.is_contiguous(memory_format=torch.channels_last):  # then its gradient is so, too
            means = x.float().permute(0, 2, 3, 1).mean(dim=(1, 2))
        else:
            means = x.float().mean(dim=(2, 3))
        if isinstance(self.groups, Sequence):
            parts = means.split([*self.groups], dim=1)
            vectors = torch.cat([F.normalize(part, dim=1) for part in parts], dim=1)
        else:
            vectors = F.normalize(means.unflatten(1, (self.groups, -1)), dim=2).flatten(1)
        vectors = vectors * self.scale
        return F.dropout(vectors, self.dropout, self.training)
