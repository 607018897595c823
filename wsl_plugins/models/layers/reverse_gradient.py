"""Identity whose gradient has the opposite sign."""

import torch
from torch import Tensor


class _ReverseGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        return -ctx.weight * grad, None


def reverse_gradient(x: Tensor, weight: float = 1.0) -> Tensor:
    """``x`` itself; the gradient that comes back is multiplied by ``-weight``.

    What was computed before ``x`` then ascends the loss that everything else descends (Ganin &
    Lempitsky, ICML 2015), in one backward pass.

    Example:
        >>> x = torch.ones(1, requires_grad=True)
        >>> reverse_gradient(3 * x, weight=2.0).backward()
        >>> x.grad
        tensor([-6.])
    """
    return _ReverseGradient.apply(x, weight)
