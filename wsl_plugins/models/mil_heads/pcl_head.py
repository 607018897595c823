"""Refinement branch of PCL: every cluster of proposals is a bag."""

import torch
from torch import Tensor

from wsl_plugins.models.pseudo_labels import PseudoLabels
from wsl_plugins.registry import MODELS

from .refinement_head import RefinementHead, weighted_mean


def cluster_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    weights: Tensor,
    clusters: Tensor,
    num_clusters: int,
    normalize_weights: bool = False,
) -> Tensor:
    """The refinement loss of PCL for the R proposals of one image; 0 for R = 0.

    ``-(1/R) (sum_n w_n |n| log(mean_{r in n} p_rc) + sum_{r in background} w_r log p_r,C)``, where
    p is the softmax and c the class of cluster n; proposals of weight 0 belong to none.

    Args:
        logits: (R, C + 1), background last.
        labels: (R,) int64 in 0..C.
        weights: (R,) float, equal within a cluster.
        clusters: (R,) int64, the cluster of each foreground proposal; others are not read.
        num_clusters: a number above every cluster.
        normalize_weights: divide by the sum of the weights instead of R. Default False.

    Returns:
        Scalar, float32 (float64 for float64 logits).

    Example:
        >>> logits = torch.tensor([[0.8, 0.2], [0.4, 0.6]]).log()
        >>> zeros = torch.tensor([0, 0])
        >>> cluster_cross_entropy(logits, zeros, torch.ones(2), zeros, 1)  # -log(0.6)
        tensor(0.5108)
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    log_probs = logits.log_softmax(dim=1).gather(1, labels[:, None])[:, 0]
    foreground = labels < logits.shape[1] - 1
    ids = torch.arange(max(num_clusters, 1), device=labels.device)
    members = (clusters == ids[:, None]) & foreground & (weights > 0)  # (clusters, R)
    # the lowest finite number and not -inf: a cluster without members has no NaN gradient
    masked = log_probs.masked_fill(~members, torch.finfo(logits.dtype).min)
    log_means = masked.logsumexp(dim=1) - members.sum(dim=1).clamp(min=1).log()
    losses = -torch.where(foreground & (weights > 0), log_means[clusters], log_probs)
    return weighted_mean(losses, weights, normalize_weights)


@MODELS.register_module()
class PCLHead(RefinementHead):
    """Student of `PCL <https://arxiv.org/abs/1807.03342>`_: a cluster of proposals is a bag that
    shares one classification loss (:func:`cluster_cross_entropy`).

    Goes with :class:`wsl_plugins.PCLSampler`. Arguments of :class:`RefinementHead`.

    Example:
        >>> roi_head = dict(
        ...     type='wsl_plugins.WSODRoIHead', refine_head=dict(type='wsl_plugins.PCLHead'),
        ...     sampler=dict(type='wsl_plugins.PCLSampler'))
    """

    def cls_loss(self, logits: Tensor, targets: PseudoLabels) -> Tensor:
        return cluster_cross_entropy(
            logits,
            targets.labels,
            targets.weights,
            targets.match,
            len(targets.picked),
            self.normalize_weights,
        )
