"""Dropout of square blocks of cells."""

import torch
import torch.nn.functional as F
from torch import Tensor

from wsl_plugins.registry import MODELS

from .drop_layer import DropLayer


def check_block_size(block_size: int) -> None:
    """Raise ValueError unless ``block_size`` is odd and positive."""
    if block_size < 1 or block_size % 2 == 0:
        raise ValueError(f'block_size must be odd and at least 1, got {block_size}')


def expand_blocks(centres: Tensor, block_size: int) -> Tensor:
    """Blocks (N, 1, H, W) of ``block_size`` x ``block_size`` cells around each centre, cut off at
    the border; 1 = dropped."""
    return F.max_pool2d(centres, block_size, stride=1, padding=block_size // 2)


@MODELS.register_module()
class DropBlock(DropLayer):
    """Drops blocks around random centres (`DropBlock <https://arxiv.org/abs/1810.12890>`_).

    Centres lie so that their block is inside the map, and are drawn with probability
    ``drop_prob / block_size**2 * H W / ((H - block_size + 1) (W - block_size + 1))`` (equation 1 of
    the paper), which drops ``drop_prob`` of the cells, fewer if blocks overlap. Unlike mmdet's
    layer of this name every proposal is scaled by its own kept area.

    Args:
        drop_prob: share of cells to drop. Default 0.1.
        block_size: side of a block in cells, odd. Default 3.
        rescale, warmup_steps, init_cfg: see :class:`DropLayer`.

    Raises:
        ValueError: an option outside its range; features smaller than a block.

    Example:
        >>> DropBlock(drop_prob=0.2)(torch.ones(8, 4, 7, 7)).shape
        torch.Size([8, 4, 7, 7])
    """

    def __init__(self, drop_prob: float = 0.1, block_size: int = 3, **kwargs) -> None:
        super().__init__(**kwargs)
        if not 0 <= drop_prob < 1:
            raise ValueError(f'drop_prob must be in [0, 1), got {drop_prob}')
        check_block_size(block_size)
        self.drop_prob = drop_prob
        self.block_size = block_size

    def draw(self, feats: Tensor) -> tuple[Tensor, Tensor]:
        height, width = feats.shape[2:]
        size, margin = self.block_size, self.block_size // 2
        if min(height, width) < size:
            raise ValueError(f'block_size {size} does not fit into features {height} x {width}')
        inner = (height - size + 1, width - size + 1)
        gamma = self.drop_prob / size**2 * height * width / (inner[0] * inner[1])
        probs = feats.new_full((len(feats), 1, *inner), gamma, dtype=torch.float32)
        probs = probs * self.strength()
        centres = (torch.rand_like(probs) < probs).float()
        return expand_blocks(F.pad(centres, [margin] * 4), size), probs
