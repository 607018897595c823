"""Concrete DropBlock: a layer that learns which blocks to drop."""

import math

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from wsl_plugins.registry import MODELS
from wsl_plugins.structures.limited import limited

from .drop_block import check_block_size, expand_blocks
from .drop_layer import DropLayer
from .reverse_gradient import reverse_gradient


def draw_concrete(
    probs: Tensor, temperature: float, block_size: int = 1, rounded: bool = False
) -> Tensor:
    """Cells within the blocks of Bernoulli draws, 0 or 1, with the gradient of relaxed draws
    (straight-through).

    The relaxed draw is ``sigmoid((logit(p) + logistic noise) / temperature)``, which is the
    Gumbel-softmax over [p, 1 - p]. p = 0 is never drawn. By default blocks are formed before
    rounding: the gradient of a cell goes to the centre nearest to being drawn, whereas among
    ``rounded`` draws, most of them equal, it goes to the first one in the block.

    Args:
        probs: p in [0, 1), (N, 1, H, W), float32 or float64.
        temperature: lower means nearer to a hard draw, and gradients that are larger and rarer:
            none reaches p whose relaxed draw is nearer than e^-30 to 0 or 1.
        block_size: side of the block around each drawn cell, odd. Default 1: the cell itself.
        rounded: form blocks from draws that are rounded already. Default False.

    Example:
        >>> draw_concrete(torch.tensor([[[[0.0, 0.0]]]]), temperature=0.01)
        tensor([[[[0., 0.]]]])
    """
    # both within the same bounds, so that no noise draws p = 0
    noise, logits = (limited(x, 1e-6, 1 - 1e-6).logit() for x in (torch.rand_like(probs), probs))
    # outside no gradient, where it would be subnormal: such numbers slow a CPU down several times
    relaxed = limited((logits + noise) / temperature, -30, 30)
    soft = relaxed.sigmoid()
    if rounded:
        return expand_blocks(straight_through(soft), block_size)
    return straight_through(expand_blocks(soft, block_size))


def straight_through(soft: Tensor) -> Tensor:
    """Numbers in [0, 1] rounded to 0 or 1, with the gradient of what they were."""
    return (soft > 0.5).to(soft) + (soft - soft.detach())


class _DropProbability(BaseModule):
    """Residual bottleneck, then one logit per cell: (R, C, H, W) to (R, 1, H, W)."""

    def __init__(self, in_channels: int, mid_channels: int, bias: float, batch_norm: bool) -> None:
        super().__init__()
        sizes = ((in_channels, mid_channels, 1), (mid_channels, mid_channels, 3))
        layers: list[nn.Module] = []
        for channels, out_channels, kernel in (*sizes, (mid_channels, in_channels, 1)):
            layers.append(nn.Conv2d(channels, out_channels, kernel, padding=kernel // 2))
            layers += [nn.BatchNorm2d(out_channels)] if batch_norm else []
            layers.append(nn.ReLU(inplace=True))
        self.residual = nn.Sequential(*layers[:-1])
        self.relu = nn.ReLU(inplace=True)
        self.logit = nn.Conv2d(in_channels, 1, 1)
        nn.init.normal_(self.logit.weight, std=1e-3)
        nn.init.constant_(self.logit.get_parameter('bias'), bias)

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type == 'cpu':  # convolutions take half of the time in this layout
            x = x.contiguous(memory_format=torch.channels_last)
        return self.logit(self.relu(x + self.residual(x)))


@MODELS.register_module()
class ConcreteDropBlock(DropLayer):
    """Drops the blocks whose loss hurts most (section 4.2 of `MIST
    <https://arxiv.org/abs/2004.04725>`_).

    A residual block maps the pooled features of a proposal, detached, to a probability per cell;
    capped, drawn by straight-through Gumbel-softmax, each drawn cell becomes the centre of a block
    that is dropped. The layer's parameters *ascend* the loss of the detector (equation 5): its
    gradient is reversed where the mask meets the features, so one backward pass serves both.

    Args:
        in_channels: C of the pooled features.
        drop_thr: tau. Default 0.3; 0 drops nothing.
        block_size: side of a block in cells, odd. Default 3.
        cap: ``'min'`` (paper): the probability of a centre is ``min(p, tau)``, p starts at tau / 2;
            away from the border ``1 - (1 - tau)**(block_size**2)`` of the cells can be dropped, 96%
            with the defaults. ``'scale'`` (published code): ``p tau / block_size**2``, p starts at
            1/2; at most tau of the cells are dropped on average.
        temperature: of the Gumbel-softmax. Default 0.01 (published code; the paper gives none).
        reverse_weight: weight of the reversed gradient. None leaves the gradient as it is, for
            :class:`wsl_plugins.AlternatingFastRCNN`. Default 1.
        mid_channels: channels inside the residual block. Default: a quarter of ``in_channels``.
        batch_norm: normalise inside the residual block over all proposals of a batch (published
            code). Such a layer cannot be trained in sub-batches. Default False.
        round_draws: form blocks from rounded draws (published code), see :func:`draw_concrete`.
            Default False.
        rescale, warmup_steps, init_cfg: see :class:`DropLayer`.

    Its learning rate and weight decay are set by
    ``optim_wrapper.paramwise_cfg.custom_keys['drop_layer']``.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> ConcreteDropBlock(in_channels=16)(torch.rand(8, 16, 7, 7)).shape
        torch.Size([8, 16, 7, 7])
    """

    def __init__(
        self,
        in_channels: int,
        drop_thr: float = 0.3,
        block_size: int = 3,
        cap: str = 'min',
        temperature: float = 0.01,
        reverse_weight: float | None = 1.0,
        mid_channels: int | None = None,
        batch_norm: bool = False,
        round_draws: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_block_size(block_size)
        if not 0 <= drop_thr < 1:
            raise ValueError(f'drop_thr must be in [0, 1), got {drop_thr}')
        if cap not in ('min', 'scale'):
            raise ValueError(f"cap must be 'min' or 'scale', got {cap!r}")
        if temperature <= 0:
            raise ValueError(f'temperature must be above 0, got {temperature}')
        self.drop_thr = drop_thr
        self.block_size = block_size
        self.cap = cap
        self.temperature = temperature
        self.reverse_weight = reverse_weight
        self.round_draws = round_draws
        # Above tau min(p, tau) has no gradient: p starts at half of it
        start = max(drop_thr, 1e-3) / 2 if cap == 'min' else 0.5
        self.net = _DropProbability(
            in_channels,
            mid_channels or max(in_channels // 4, 1),
            math.log(start / (1 - start)),
            batch_norm,
        )

    def probabilities(self, feats: Tensor) -> Tensor:
        """Probability (R, 1, H, W) of each cell to be the centre of a dropped block, float32."""
        logits = self.net(feats.detach())
        probs = (logits if logits.dtype == torch.float64 else logits.float()).sigmoid()
        if self.cap == 'min':
            probs = limited(probs, high=self.drop_thr)
        else:
            probs = probs * self.drop_thr / self.block_size**2
        return probs * self.strength()

    def draw(self, feats: Tensor) -> tuple[Tensor, Tensor]:
        probs = self.probabilities(feats)
        dropped = draw_concrete(probs, self.temperature, self.block_size, self.round_draws)
        return dropped, probs

    def finish(self, scaled_mask: Tensor) -> Tensor:
        if self.reverse_weight is None:
            return scaled_mask
        return reverse_gradient(scaled_mask, self.reverse_weight)
