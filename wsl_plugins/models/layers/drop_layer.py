"""What all layers that drop cells of feature maps share."""

from abc import ABCMeta, abstractmethod

import torch
from mmengine.model import BaseModule
from torch import Tensor


def scale_mask(mask: Tensor, rescale: str = 'roi') -> Tensor:
    """Mask divided by the share of cells it keeps, so that the mean of the features is kept.

    Args:
        mask: (N, 1, H, W), 1 = kept; each map keeps at least one cell.
        rescale: ``'roi'``: each map by its own share; ``'batch'``: all by their common share.

    Example:
        >>> scale_mask(torch.tensor([[[[0.0, 1.0]]]]))
        tensor([[[[0., 2.]]]])
    """
    dims = (1, 2, 3) if rescale == 'roi' else (0, 1, 2, 3)
    return mask / mask.mean(dim=dims, keepdim=True)


class DropLayer(BaseModule, metaclass=ABCMeta):
    """Sets cells of feature maps (N, C, H, W) to zero over all channels, in training only.

    What is left is scaled by area / kept area. A map that would lose every cell keeps all.

    A subclass gives the probabilities and draws the cells. The RoI head calls :meth:`start_step`
    before the features of a step pass, and :meth:`log_vars` after that: ``drop_rate`` (mean
    probability of a cell to be, or to be the centre of, what is dropped) and ``kept_area`` (mean
    share of the cells that are kept); both 0 in a step without maps.

    Args:
        rescale: ``'roi'`` (default): each map is scaled by its own kept area; ``'batch'``: all maps
            of one call, in one process, by the common one.
        warmup_steps: the drop probability rises linearly from 0 over this many steps. Default 0.
        init_cfg: mmengine initialisation.

    Raises:
        ValueError: an option outside its range.
    """

    level = 'roi'  # or 'image': which features the RoI head passes

    def __init__(
        self, rescale: str = 'roi', warmup_steps: int = 0, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if rescale not in ('roi', 'batch'):
            raise ValueError(f"rescale must be 'roi' or 'batch', got {rescale!r}")
        if warmup_steps < 0:
            raise ValueError(f'warmup_steps must be at least 0, got {warmup_steps}')
        self.rescale = rescale
        self.warmup_steps = warmup_steps
        self.register_buffer('steps', torch.tensor(0))
        self._sums = torch.zeros(3)  # maps, drop rate, kept area

    def start_step(self) -> None:
        """Begin a training step: warm-up goes on by one step, statistics start anew."""
        self.steps += 1
        self._sums = torch.zeros(3)

    def log_vars(self) -> dict[str, Tensor]:
        """Means over the maps of this step; the names are no losses, they are only logged."""
        maps, rate, kept = self._sums
        return dict(drop_rate=rate / maps.clamp(min=1), kept_area=kept / maps.clamp(min=1))

    def strength(self) -> Tensor | float:
        """Warm-up factor in 0..1 of the drop probability."""
        if not self.warmup_steps:
            return 1.0
        return (self.steps / self.warmup_steps).clamp(max=1)

    @abstractmethod
    def draw(self, feats: Tensor) -> tuple[Tensor, Tensor]:
        """Dropped cells (N, 1, H, W), 1 = dropped, and the probabilities behind them."""

    def forward(self, feats: Tensor) -> Tensor:
        """Features (N, C, H, W) with some cells dropped; unchanged outside training."""
        if not self.training:
            return feats
        dropped, probs = self.draw(feats)
        all_dropped = (dropped > 0.5).flatten(1).all(dim=1).view(-1, 1, 1, 1)
        mask = torch.where(all_dropped, 1.0, 1 - dropped)
        with torch.no_grad():
            sums = [probs.flatten(1).mean(dim=1).sum(), mask.flatten(1).mean(dim=1).sum()]
            sums = torch.stack([probs.new_tensor(len(feats)), *sums])
            self._sums = self._sums.to(sums) + sums
        return feats * self.finish(scale_mask(mask, self.rescale)).to(feats.dtype)

    def finish(self, scaled_mask: Tensor) -> Tensor:
        """Last step before the mask meets the features."""
        return scaled_mask
