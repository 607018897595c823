"""A classification loss of any detection head, with the weighted entropy added (WEND)."""

from torch import Tensor, nn

from wsl_plugins.registry import MODELS

NORMS = ('samples', 'avg_factor')


@MODELS.register_module()
class EntropyRegularizedLoss(nn.Module):
    """eta * (wrapped loss) + weighted entropy: the classification part of equation 4 of WEND.

    Xu et al., ACM MM 2023: L = eta * L_sup + WE. Takes the place of ``loss_cls`` in any mmdet head.
    eta multiplies **all** supervised terms: give it here, and as a factor of the ``loss_weight`` of
    the box and quality losses (and of the RPN's losses).

    Heads read some settings of ``loss_cls`` from the config before it is built; those stand here:
    ``use_sigmoid`` and ``class_weight`` (of ``DETRHead``, beside its ``bg_cls_weight``). Every
    other attribute that a head asks for is the wrapped loss's.

    Not served: a head that asks for the class of its loss (``DETRHead`` and its kin for
    ``QualityFocalLoss``) sees this class.

    Args:
        loss: config of the wrapped loss, e.g. ``dict(type='mmdet.FocalLoss')``.
        entropy: config of the entropy; by default a :class:`WeightedEntropyLoss` of default values.
            ``use_sigmoid`` and ``reduction`` are those of the wrapped loss.
        eta: weight of the wrapped loss, > 0. Default 1.
        entropy_norm: N of the entropy. ``'samples'`` (default, the 1/N of the paper): predictions
            of weight > 0. ``'avg_factor'``: what the head divides its own loss by, if it gives
            that; for FCOS the number of positive points, so that both terms grow alike with the
            number of points.
        use_sigmoid: must be that of the wrapped loss. Default False, as heads read it.
        class_weight: ``class_weight`` of the wrapped loss. Default None: none.

    Raises:
        ValueError: ``use_sigmoid`` that differs from the wrapped loss's or the entropy's,
            ``class_weight`` within ``loss``, columns other than classes (and background), or a
            value out of its range.

    Example:
        >>> cfg = dict(
        ...     type='wsl_plugins.EntropyRegularizedLoss',
        ...     use_sigmoid=True,
        ...     loss=dict(type='mmdet.FocalLoss'),
        ...     eta=0.125,
        ... )
        >>> MODELS.build(cfg)(torch.zeros(2, 1), torch.tensor([0, 1]), avg_factor=1)
        tensor(0.0325)
    """

    def __init__(
        self,
        loss: dict,
        entropy: dict | None = None,
        eta: float = 1.0,
        entropy_norm: str = 'samples',
        use_sigmoid: bool = False,
        class_weight: float | list | Tensor | None = None,
    ) -> None:
        super().__init__()
        if not eta > 0:
            raise ValueError(f'eta must be > 0, got {eta}')
        if entropy_norm not in NORMS:
            raise ValueError(f'entropy_norm must be one of {NORMS}, got {entropy_norm!r}')
        if 'class_weight' in loss:
            raise ValueError('class_weight belongs beside loss, where heads read it, not within')
        if class_weight is not None:
            loss = dict(loss, class_weight=class_weight)
        self.loss = MODELS.build(loss)
        entropy = dict(entropy or dict(type='wsl_plugins.WeightedEntropyLoss'))
        for name, value in (
            (type(self.loss).__name__, getattr(self.loss, 'use_sigmoid', False)),
            ('entropy', entropy.get('use_sigmoid', use_sigmoid)),
        ):
            if value != use_sigmoid:
                raise ValueError(
                    f'use_sigmoid={use_sigmoid} of the wrapper and {value} of {name} differ; '
                    'write it in both, the head reads that of the wrapper'
                )
        if getattr(self.loss, 'custom_cls_channels', False):
            classes = self.loss.num_classes
            channels = self.loss.get_cls_channels(classes)
            if channels != classes + (not use_sigmoid):
                raise ValueError(
                    f'{type(self.loss).__name__} has {channels} columns for {classes} classes; the '
                    'entropy knows columns of classes, and of the background after a softmax'
                )
        entropy.update(use_sigmoid=use_sigmoid, reduction=getattr(self.loss, 'reduction', 'mean'))
        self.entropy = MODELS.build(entropy)
        self.eta = eta
        self.entropy_norm = entropy_norm
        self.use_sigmoid = use_sigmoid

    def __getattr__(self, name: str):
        """Attributes that heads ask for and this class does not have are the wrapped loss's."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__('loss'), name)

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | Tensor | None = None,
        reduction_override: str | None = None,
        **kwargs,
    ) -> Tensor:
        """Both terms; the arguments are those of mmdet's losses, ``kwargs`` go to the wrapped one.

        Args:
            cls_score: (N, C) logits, or (N, C + 1) of a softmax, the background last.
            label: as the wrapped loss takes it; the entropy does without.
            weight: (N,); samples of weight 0 take no part in either term.
            avg_factor: divisor of the wrapped loss.
            reduction_override: of both terms.
        """
        common = dict(weight=weight, reduction_override=reduction_override)
        supervised = self.loss(cls_score, label, avg_factor=avg_factor, **common, **kwargs)
        divisor = avg_factor if self.entropy_norm == 'avg_factor' else None
        return self.eta * supervised + self.entropy(cls_score, avg_factor=divisor, **common)
