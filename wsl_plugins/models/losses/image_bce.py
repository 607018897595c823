"""Image-level binary cross-entropy of multiple-instance learning."""

import torch
import torch.nn.functional as F
from torch import Tensor

from wsl_plugins.structures.finite import check_finite_scores
from wsl_plugins.structures.limited import limited


def image_bce(
    phi: Tensor,
    labels: Tensor,
    reduction: str = 'sum',
    positive_only: bool = False,
    eps: float = 1e-6,
) -> Tensor:
    """Binary cross-entropy between image scores and image labels, one value per image.

    Bilen & Vedaldi, CVPR 2016; equation 2 of Ren et al., CVPR 2020 (MIST) is
    ``positive_only=True``.

    Args:
        phi: (N, C) image scores in [0, 1]; clamped to [eps, 1 - eps] before the logarithm.
        labels: (N, C) image labels, 0 or 1.
        reduction: ``'sum'`` over classes (OICR, default) or ``'mean'``.
        positive_only: count only the classes that the image has.
        eps: clamp.

    Returns:
        (N,) float32 losses.

    Raises:
        ValueError: unknown reduction, or shapes that differ.
        FloatingPointError: a score is not finite.

    Example:
        >>> image_bce(torch.tensor([[0.5, 0.5]]), torch.tensor([[1, 0]]))
        tensor([1.3863])
    """
    if reduction not in ('sum', 'mean'):
        raise ValueError(f"reduction must be 'sum' or 'mean', got {reduction!r}")
    if phi.shape != labels.shape:
        raise ValueError(
            f'image scores {tuple(phi.shape)} and labels {tuple(labels.shape)} differ in shape'
        )
    check_finite_scores(phi)
    labels = labels.to(torch.float32)
    # float32 and no autocast: binary_cross_entropy is unsafe in half precision
    with torch.autocast(phi.device.type, enabled=False):
        loss = F.binary_cross_entropy(limited(phi.float(), eps, 1 - eps), labels, reduction='none')
    if positive_only:
        loss = loss * labels
    return loss.sum(1) if reduction == 'sum' else loss.mean(1)
