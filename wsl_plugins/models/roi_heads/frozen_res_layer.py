"""C5 of a ResNet that does not train."""

from wsl_plugins.registry import MODELS

from mmdet.models.roi_heads.shared_heads import ResLayer


@MODELS.register_module()
class FrozenResLayer(ResLayer):
    """mmdet's ``ResLayer`` (C5 per proposal; He et al., CVPR 2016) whose weights stay as they are.

    (R, C, h, w) become (R, 2C, h/2, w/2). Its names of weights are those of ``ResLayer``. What
    comes before the first layer that trains can be cached
    (:class:`wsl_plugins.engine.hooks.CachedRoIFeatures`).

    Args:
        **kwargs: of ``ResLayer``.

    Example:
        >>> any(p.requires_grad for p in FrozenResLayer(depth=18).parameters())
        False
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.requires_grad_(False)  # before DDP looks

    def train(self, mode: bool = True) -> 'FrozenResLayer':
        """Statistics of batch normalisation stay as they are, too."""
        super().train(False)  # returns nothing
        return self
