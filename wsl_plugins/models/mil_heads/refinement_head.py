"""Refinement branch: a classifier taught by pseudo labels."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from wsl_plugins.models.pseudo_labels import PseudoLabels
from wsl_plugins.registry import MODELS


def weighted_cross_entropy(
    logits: Tensor, labels: Tensor, weights: Tensor, normalize_weights: bool = False
) -> Tensor:
    """Mean over the R proposals of one image of ``w_r CE(logits_r, label_r)``; 0 for R = 0.

    The refinement loss of OICR (Tang et al., CVPR 2017, equation 4).

    Args:
        logits: (R, C + 1), background last.
        labels: (R,) int64 in 0..C.
        weights: (R,) float.
        normalize_weights: divide by the sum of the weights instead of R. Default False.

    Returns:
        Scalar, float32.

    Example:
        >>> labels, weights = torch.tensor([0, 1]), torch.tensor([1.0, 0.0])
        >>> weighted_cross_entropy(torch.zeros(2, 2), labels, weights)
        tensor(0.3466)
    """
    losses = F.cross_entropy(logits.float(), labels, reduction='none') * weights
    if normalize_weights:
        return losses.sum() / weights.sum().clamp(min=1e-12)
    return losses.sum() / max(len(losses), 1)


@MODELS.register_module()
class RefinementHead(BaseModule):
    """Student classifier over C + 1 classes, background = C.

    See `OICR <https://arxiv.org/abs/1704.00138>`_.

    Args:
        in_channels: length D of a proposal's vector.
        num_classes: C.
        normalize_weights: divide each image's loss by the sum of its weights instead of R. Early
            teachers score about 1/R, and the paper's mean over R then needs tens of thousands of
            steps; this does without them. Default False (OICR).
        init_cfg: mmengine initialisation. Default: normal, std 0.01.

    Example:
        >>> head = RefinementHead(in_channels=8, num_classes=3)
        >>> head(torch.rand(5, 8)).shape
        torch.Size([5, 4])
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        normalize_weights: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg or dict(type='Normal', layer='Linear', std=0.01))
        self.num_classes = num_classes
        self.normalize_weights = normalize_weights
        self.fc_cls = nn.Linear(in_channels, num_classes + 1)

    def forward(self, feats: Tensor) -> Tensor:
        """Logits (R, C + 1) of proposal vectors (R, D)."""
        return self.fc_cls(feats)

    def loss(self, logits: Tensor, targets: Sequence[PseudoLabels]) -> Tensor:
        """Mean over images of :func:`weighted_cross_entropy`; one entry of ``targets`` each."""
        parts = logits.split([len(t.labels) for t in targets])
        losses = [
            weighted_cross_entropy(part, t.labels, t.weights, self.normalize_weights)
            for part, t in zip(parts, targets, strict=True)
        ]
        return torch.stack(losses).mean()
