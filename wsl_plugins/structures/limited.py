"""A clamp with the same gradient in every release of torch."""

import torch
from torch import Tensor


def limited(x: Tensor, low: float = -torch.inf, high: float = torch.inf) -> Tensor:
    """``x.clamp(low, high)`` whose gradient at a bound is 1, and 0 beyond.

    So it was in torch up to 2.13; from 2.14 on that of ``clamp`` is 0 at the bound.

    Args:
        x: Any shape.
        low: Default: no limit, as ``high``.

    Example:
        >>> limited(torch.tensor([-1.0, 0.5, 2.0]), 0, 1)
        tensor([0.0000, 0.5000, 1.0000])
    """
    return torch.where((x < low) | (x > high), x.detach().clamp(low, high), x)
