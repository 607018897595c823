"""WSDDN: two softmaxes whose product scores the proposals of an image."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from wsl_plugins.models.losses import image_bce
from wsl_plugins.registry import MODELS


def wsddn_scores(cls_logits: Tensor, det_logits: Tensor, counts: Sequence[int]) -> Tensor:
    """Proposal scores: softmax over classes times softmax over the proposals of one image.

    Equation 1 of Ren et al., CVPR 2020; equations 2-3 of Li et al., ICCV 2019 (after Bilen &
    Vedaldi, CVPR 2016).

    Args:
        cls_logits: (R, C) logits f, proposals of all images one after another.
        det_logits: (R, C) logits g.
        counts: proposals per image; they sum to R. The second softmax never mixes images.

    Returns:
        (R, C) float32 scores; those of one image and class sum to a value in [0, 1].

    Raises:
        ValueError: ``counts`` does not sum to R.

    Example:
        >>> wsddn_scores(torch.zeros(3, 2), torch.zeros(3, 2), [2, 1])
        tensor([[0.2500, 0.2500],
                [0.2500, 0.2500],
                [0.5000, 0.5000]])
    """
    if sum(counts) != len(det_logits):
        raise ValueError(
            f'{list(counts)} proposals per image do not sum to the {len(det_logits)} rows of logits'
        )
    over_regions = [
        F.softmax(g, dim=0, dtype=torch.float32) for g in det_logits.split(list(counts))
    ]
    return F.softmax(cls_logits, dim=1, dtype=torch.float32) * torch.cat(over_regions)


def image_scores(scores: Tensor, counts: Sequence[int]) -> Tensor:
    """Sum of the proposal scores of each image: (R, C) and N counts give (N, C)."""
    return torch.stack([s.sum(0) for s in scores.split(list(counts))])


@MODELS.register_module()
class WSDDNHead(BaseModule):
    """MIL head of `WSDDN <https://arxiv.org/abs/1511.02853>`_.

    ``s = softmax_classes(f) * softmax_regions(g)``, ``phi_c = sum_r s_rc``, loss = BCE(phi, y) per
    image, averaged over the images of the batch. An image without proposals contributes zero.

    Args:
        in_channels: length D of a proposal's vector.
        num_classes: C.
        reduction: sum (default, OICR) or mean over classes.
        positive_only: only the classes of the image count (equation 2 of MIST). Default False.
        with_background: C + 1 columns, the background's target is 0 (published MIST code). Default
            False.
        eps: clamp of the image score.
        init_cfg: mmengine initialisation. Default: normal, std 0.01.

    Example:
        >>> head = WSDDNHead(in_channels=8, num_classes=3)
        >>> scores = head(torch.rand(5, 8), counts=[4, 1])
        >>> scores.shape, head.loss(scores, torch.tensor([[1, 0, 0], [0, 1, 1]]), [4, 1]).shape
        (torch.Size([5, 3]), torch.Size([]))
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        reduction: str = 'sum',
        positive_only: bool = False,
        with_background: bool = False,
        eps: float = 1e-6,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg or dict(type='Normal', layer='Linear', std=0.01))
        self.num_classes = num_classes
        self.with_background = with_background
        self.loss_args: dict = dict(reduction=reduction, positive_only=positive_only, eps=eps)
        columns = num_classes + int(with_background)
        self.fc_cls = nn.Linear(in_channels, columns)
        self.fc_det = nn.Linear(in_channels, columns)

    def forward(self, feats: Tensor, counts: Sequence[int]) -> Tensor:
        """Proposal scores (R, C) (C + 1 columns ``with_background``) of proposal vectors (R, D)."""
        return wsddn_scores(self.fc_cls(feats), self.fc_det(feats), counts)

    def loss(self, scores: Tensor, labels: Tensor, counts: Sequence[int]) -> Tensor:
        """Mean image loss from the scores of :meth:`forward` and image labels (N, C)."""
        if self.with_background:
            labels = F.pad(labels, (0, 1))
        losses = image_bce(image_scores(scores, counts), labels, **self.loss_args)
        has_proposals = torch.tensor([n > 0 for n in counts], device=losses.device)
        return torch.where(has_proposals, losses, 0 * losses).mean()
