"""Stops a training that has diverged, where it can still be named."""

from collections.abc import Sequence

import torch
from mmengine.logging import MessageHub
from torch import Tensor


def check_finite_maps(maps: Sequence[Tensor]) -> None:
    """Raise if a feature map has a NaN or an infinite value.

    torchvision's RoI pooling (0.26) makes -3.4e38 of NaN, so that losses would stay finite.

    Args:
        maps: (N, C, H, W) each, from the backbone or neck.

    Raises:
        FloatingPointError: Names the map and the step.
    """
    sums = torch.stack([x.detach().sum(dtype=torch.float32) for x in maps])
    bad = (~sums.isfinite()).nonzero().flatten().tolist()
    if bad:
        raise FloatingPointError(
            f'feature map {bad[0]} of {len(maps)} {tuple(maps[bad[0]].shape)}, of the backbone or '
            f'neck, is not finite{step()}: {ADVICE}'
        )


def check_finite_scores(scores: Tensor) -> None:
    """Raise if image scores (N, C) are not finite, which ``binary_cross_entropy`` refuses with
    words about its input, and on CUDA by the end of the process.

    Raises:
        FloatingPointError: Names them and the step.
    """
    if not bool(scores.detach().isfinite().all()):
        raise FloatingPointError(
            f'image scores are not finite{step()}: the layers that give them have diverged; '
            f'{ADVICE}'
        )


ADVICE = 'a lower learning rate, optim_wrapper.clip_grad or a warm-up helps'


def step() -> str:
    """``' at iteration 7'``, from 1 on; nothing outside a runner."""
    done = MessageHub.get_current_instance().get_info('iter')
    return '' if done is None else f' at iteration {done + 1}'
