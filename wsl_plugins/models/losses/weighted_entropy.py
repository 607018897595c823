"""Weighted entropy of foreground probabilities (WEND)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsl_plugins.registry import MODELS

REDUCTIONS = ('none', 'mean', 'sum')


def foreground_logit(cls_score: Tensor, use_sigmoid: bool) -> Tensor:
    """Logit z of the foreground probability p = sigmoid(z), in float32 (float64 stays).

    Args:
        cls_score: logits. Sigmoid: any shape, every element is a z. Softmax: (N, C + 1), classes
            first and the background last, as in mmdet; p = 1 - p_background, so z is
            logsumexp(classes) - background.
        use_sigmoid: which of the two.

    Returns:
        Finite logits: the shape of ``cls_score``, or (N,) for softmax. NaN stays NaN.

    Raises:
        ValueError: softmax scores that are not (N, C + 1) with C >= 1.

    Example:
        >>> foreground_logit(torch.tensor([[2.0, -1.0]]), use_sigmoid=False)
        tensor([3.])
    """
    # infinities would give 0 * inf below; the entropy is 0 long before 1e30
    z = cls_score.to(torch.promote_types(cls_score.dtype, torch.float32)).clamp(-1e30, 1e30)
    if use_sigmoid:
        return z
    if z.dim() != 2 or z.size(1) < 2:
        raise ValueError(
            'scores of a softmax must be (N, classes + 1), the background last, '
            f'got {tuple(z.shape)}'
        )
    return z[:, :-1].logsumexp(1) - z[:, -1]


def weighted_entropy(
    z: Tensor,
    gamma: float = 4.0,
    alpha: float = 0.25,
    tau1: float = 0.5,
    tau2: float = 0.5,
    detach_modulator: bool = True,
) -> Tensor:
    """Entropy of each p = sigmoid(z), less where it is certain and less for the background.

    Xu et al., ACM MM 2023 (WEND), section 3.2.2. Equations 2 and 3 are a **reconstruction** from
    the words around them, since they were not legible in the copy that this follows::

        WE_i = -m_i [p_i log p_i + (1 - p_i) log(1 - p_i)]
        m_i  = alpha (1 - p_i)^gamma      if p_i >= tau2  (foreground)
               (1 - alpha) p_i^gamma      if p_i <  tau1  (background)
               0                          between

    With ``gamma=0, alpha=0.5, tau1=tau2=0.5`` it is half the plain entropy.

    Args:
        z: finite logits of any shape, float32 or float64.
        gamma: >= 0, how much certain predictions count less.
        alpha: in [0, 1], weight of the foreground; 1 - alpha is that of the background.
        tau1: below it a prediction is background.
        tau2: from it on a prediction is foreground; ``tau1 <= tau2``.
        detach_modulator: m_i is a weight: no gradient flows through it.

    Returns:
        WE_i in nats, >= 0, the shape and dtype of ``z``.

    Example:
        >>> weighted_entropy(torch.tensor([0.0]), gamma=0, alpha=0.5)  # ln(2) / 2
        tensor([0.3466])
    """
    p, q = z.sigmoid(), (-z).sigmoid()
    log_p, log_q = F.logsigmoid(z), F.logsigmoid(-z)
    # powers through logarithms: the gradient is finite at p = 0 and p = 1 for every gamma
    foreground, background = alpha * (gamma * log_q).exp(), (1 - alpha) * (gamma * log_p).exp()
    modulator = torch.where(p >= tau2, foreground, torch.where(p < tau1, background, 0.0))
    if detach_modulator:
        modulator = modulator.detach()
    return -modulator * (p * log_p + q * log_q)


@MODELS.register_module()
class WeightedEntropyLoss(nn.Module):
    """Weighted entropy of a classifier's predictions; needs no labels.

    See :func:`weighted_entropy` for the formula, which is a reconstruction of equations 2 and 3 of
    WEND (Xu et al., ACM MM 2023), and :func:`foreground_logit` for the order of the columns. The
    best values of the paper: gamma 6, alpha 0.1, tau 0.3 on CUB (tables 3 and 9); gamma 4, alpha
    0.25, tau 0.1 on ImageNet (table 8).

    Plain entropy: ``gamma=0, alpha=0.5, tau1=0.5, tau2=0.5, loss_weight=2``.

    Args:
        gamma: focus on uncertain predictions, >= 0. Default 4.
        alpha: weight of the foreground in [0, 1]. Default 0.25.
        tau1: upper bound of the background. Default 0.5.
        tau2: lower bound of the foreground, >= ``tau1``. Default 0.5.
        detach_modulator: no gradient through the modulating factor. Default True.
        use_sigmoid: logits of a sigmoid (each column its own p) or of a softmax, the background
            last (default).
        reduction: ``'mean'`` (default), ``'sum'`` or ``'none'``.
        loss_weight: factor. Default 1.

    Raises:
        ValueError: a value out of its range, ``tau1 > tau2``, or an unknown reduction.

    Example:
        >>> WeightedEntropyLoss(gamma=0, alpha=0.5, loss_weight=2)(torch.zeros(3, 2))  # ln(2)
        tensor(0.6931)
    """

    def __init__(
        self,
        gamma: float = 4.0,
        alpha: float = 0.25,
        tau1: float = 0.5,
        tau2: float = 0.5,
        detach_modulator: bool = True,
        use_sigmoid: bool = False,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if not gamma >= 0:
            raise ValueError(f'gamma must be >= 0, got {gamma}')
        for name, value in dict(alpha=alpha, tau1=tau1, tau2=tau2).items():
            if not 0 <= value <= 1:
                raise ValueError(f'{name} must be in [0, 1], got {value}')
        if tau1 > tau2:
            raise ValueError(f'tau1 must not exceed tau2, got tau1={tau1} and tau2={tau2}')
        self.gamma, self.alpha, self.tau1, self.tau2 = gamma, alpha, tau1, tau2
        self.detach_modulator = detach_modulator
        self.use_sigmoid = use_sigmoid
        self.reduction = _checked(reduction)
        self.loss_weight = loss_weight

    def forward(
        self,
        cls_score: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | Tensor | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Weighted entropy of logits ``cls_score`` (N, C), or (N, C + 1) for a softmax.

        Args:
            cls_score: logits; half precision is computed in float32.
            weight: (N,) or the loss's shape; weight 0 takes no part.
            avg_factor: divisor of ``'mean'``; by default N, the number of probabilities of
                weight > 0 (at least 1).
            reduction_override: used instead of ``reduction``.

        Returns:
            A scalar, or for ``'none'`` (N, C), and (N,) for a softmax. float32 (float64 stays).

        Raises:
            ValueError: unknown reduction, ``avg_factor`` with ``'sum'``, or a weight of another
                length.
        """
        reduction = _checked(reduction_override or self.reduction)
        z = foreground_logit(cls_score, self.use_sigmoid)
        loss = weighted_entropy(
            z, self.gamma, self.alpha, self.tau1, self.tau2, self.detach_modulator
        )
        number = loss.numel()
        if weight is not None:
            if weight.shape != loss.shape and weight.shape != loss.shape[:1]:
                raise ValueError(
                    f'weight must be {tuple(loss.shape[:1])} or {tuple(loss.shape)}, '
                    f'got {tuple(weight.shape)}'
                )
            weight = weight.reshape(weight.shape + (1,) * (loss.dim() - weight.dim()))
            weight = weight.to(loss.dtype).expand_as(loss)
            loss = loss * weight
            number = (weight > 0).sum()
        if avg_factor is not None and reduction == 'sum':
            raise ValueError("avg_factor does not go with reduction='sum'")
        if reduction == 'none':
            return self.loss_weight * loss
        loss = self.loss_weight * loss.sum()
        if reduction == 'sum':
            return loss
        if avg_factor is not None:
            return loss / (avg_factor + torch.finfo(torch.float32).eps)  # as mmdet: never 0
        return loss / torch.as_tensor(number, device=loss.device).clamp(min=1)


def _checked(reduction: str) -> str:
    if reduction not in REDUCTIONS:
        raise ValueError(f'reduction must be one of {REDUCTIONS}, got {reduction!r}')
    return reduction
