"""PSOL-Joint: a classifier beside the box regression."""

import torch.nn.functional as F
from torch import Tensor, nn

from wsl_plugins.models.localizers.box_regression_head import BoxRegressionHead
from wsl_plugins.models.localizers.localizer_head import gt_labels
from wsl_plugins.registry import MODELS

from mmpretrain.structures import DataSample


@MODELS.register_module()
class JointBoxHead(BoxRegressionHead):
    """:class:`BoxRegressionHead` and a linear classifier on the same features.

    Paper: PSOL (CVPR 2020), section 4.1, "-Joint". The losses are ``loss_cls``, cross entropy, and
    ``loss_box``; predictions have ``pred_score`` (C,) and ``pred_label`` (1,) besides ``pred_box``.

    Args:
        in_channels: D of the features (N, D).
        num_classes: C.
        kwargs: options of :class:`BoxRegressionHead`.

    Raises:
        ValueError: no class; an image without exactly one label; see :class:`BoxRegressionHead`.

    Example:
        >>> logits, boxes = JointBoxHead(in_channels=8, num_classes=3)((torch.rand(2, 8),))
        >>> logits.shape, boxes.shape
        (torch.Size([2, 3]), torch.Size([2, 4]))
    """

    def __init__(self, in_channels: int, num_classes: int, **kwargs) -> None:
        if num_classes < 1:
            raise ValueError(f'num_classes must be at least 1, got {num_classes}')
        super().__init__(in_channels, **kwargs)
        self.fc = nn.Linear(in_channels, num_classes)

    def classify(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Logits (N, C) float32."""
        return self.fc(self.vectors(feats)).float()

    def forward(self, feats: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Logits (N, C) and boxes (N, 4)."""
        return self.classify(feats), self.regress(feats)

    def loss(self, feats: tuple[Tensor, ...], data_samples: list[DataSample]) -> dict[str, Tensor]:
        """``loss_cls`` and ``loss_box``."""
        logits = self.classify(feats)
        loss_cls = F.cross_entropy(logits, gt_labels(data_samples).to(logits.device))
        return dict(loss_cls=loss_cls, **super().loss(feats, data_samples))

    def predict(
        self, feats: tuple[Tensor, ...], data_samples: list[DataSample] | None = None
    ) -> list[DataSample]:
        """Data samples with ``pred_box``, ``pred_score`` and ``pred_label``."""
        data_samples = super().predict(feats, data_samples)
        for sample, scores in zip(data_samples, self.classify(feats).softmax(dim=1), strict=True):
            sample.set_pred_score(scores).set_pred_label(scores.argmax())
        return data_samples
