"""A second head on an earlier feature, for training only."""

from mmengine.model import BaseModule
from torch import Tensor

from wsl_plugins.registry import MODELS

from mmpretrain.structures import DataSample


@MODELS.register_module()
class AuxiliaryHead(BaseModule):
    """Two heads; the losses of the auxiliary one count ``aux_weight`` times.

    As InceptionV3 is trained (Rethinking the Inception Architecture, CVPR 2016), and PSOL's
    InceptionV3 models: the auxiliary branch has a head of the same kind, so that it regresses the
    box (and, in "-Joint", classifies) too, with 0.3 of the loss. It takes no part in testing.

    Args:
        head: config of the head on the last feature.
        aux_head: config of the head on the feature before it, which the backbone gives in training.
        aux_weight: Default 0.3.
        init_cfg: mmengine initialisation.

    Raises:
        ValueError: in the loss, the backbone gives one feature only.

    Example:
        >>> box = dict(type='wsl_plugins.BoxRegressionHead')
        >>> head = AuxiliaryHead(dict(box, in_channels=2048), dict(box, in_channels=768))
    """

    def __init__(
        self, head: dict, aux_head: dict, aux_weight: float = 0.3, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.head = MODELS.build(head)
        self.aux_head = MODELS.build(aux_head)
        self.aux_weight = aux_weight

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
        """What the main head gives."""
        return self.head(feats)

    def loss(self, feats: tuple[Tensor, ...], data_samples: list[DataSample]) -> dict[str, Tensor]:
        """Losses of the main head, and weighted, named ``aux.``, those of the auxiliary head."""
        if len(feats) < 2:
            raise ValueError(
                'AuxiliaryHead needs two features in training, as wsl_plugins.AuxInceptionV3 gives'
                f' them; got {len(feats)}'
            )
        losses = self.head.loss(feats, data_samples)
        for name, value in self.aux_head.loss(feats[:-1], data_samples).items():
            losses[f'aux.{name}'] = self.aux_weight * value
        return losses

    def predict(
        self, feats: tuple[Tensor, ...], data_samples: list[DataSample] | None = None
    ) -> list[DataSample]:
        """Data samples of the main head."""
        return self.head.predict(feats, data_samples)
