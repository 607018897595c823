"""Dropout of single cells, over all channels."""

import torch
from torch import Tensor

from wsl_plugins.registry import MODELS

from .drop_layer import DropLayer


@MODELS.register_module()
class RoIPointDropout(DropLayer):
    """Drops each cell of each proposal's pooled features by itself.

    The row "ROI Spa.-Dropout" of table 5 of `MIST <https://arxiv.org/abs/2004.04725>`_, which does
    not give the rate.

    Args:
        drop_prob: probability of a cell to be dropped. Default 0.1.
        rescale, warmup_steps, init_cfg: see :class:`DropLayer`.

    Raises:
        ValueError: ``drop_prob`` outside [0, 1).

    Example:
        >>> kept = RoIPointDropout(drop_prob=0.5)(torch.ones(8, 4, 7, 7)) > 0
        >>> kept.shape, bool((kept == kept[:, :1]).all())
        (torch.Size([8, 4, 7, 7]), True)
    """

    def __init__(self, drop_prob: float = 0.1, **kwargs) -> None:
        super().__init__(**kwargs)
        if not 0 <= drop_prob < 1:
            raise ValueError(f'drop_prob must be in [0, 1), got {drop_prob}')
        self.drop_prob = drop_prob

    def draw(self, feats: Tensor) -> tuple[Tensor, Tensor]:
        shape = (len(feats), 1, *feats.shape[2:])
        probs = feats.new_full(shape, self.drop_prob, dtype=torch.float32)
        probs = probs * self.strength()
        return (torch.rand_like(probs) < probs).float(), probs


@MODELS.register_module()
class SpatialDropout(RoIPointDropout):
    """Drops each cell of the image's features before proposals are pooled.

    The row "Img Spa.-Dropout" of table 5 of MIST. Options as in :class:`RoIPointDropout`.

    Example:
        >>> kept = SpatialDropout(drop_prob=0.5)(torch.ones(2, 4, 20, 15)) > 0
        >>> kept.shape, bool((kept == kept[:, :1]).all())
        (torch.Size([2, 4, 20, 15]), True)
    """

    level = 'image'
