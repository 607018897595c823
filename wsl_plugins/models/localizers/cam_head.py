"""Class Activation Mapping (CVPR 2016)."""

from torch import Tensor, nn

from wsl_plugins.models.localizers.localizer_head import LocalizerHead, last_map
from wsl_plugins.registry import MODELS


def class_activation_maps(feats: Tensor, weights: Tensor) -> Tensor:
    """s = sum_d w_d g_d (WSOL evaluation paper, section A.1, equation 6 without the bias).

    Args:
        feats: g, (N, D, H, W).
        weights: w, the rows of the linear layer that belong to the classes asked for, (N, D).

    Returns:
        (N, H, W). Its mean over the cells is the logit less the bias.
    """
    return (feats * weights[:, :, None, None]).sum(dim=1)


@MODELS.register_module()
class CAMHead(LocalizerHead):
    """Global average pooling and a linear layer; the map is the linear layer on each cell.

    Papers: Learning Deep Features for Discriminative Localization; Evaluating WSOL Methods Right,
    equations 4 to 8. The head of CAM, HaS, ADL and CutMix.

    Args:
        num_classes, in_channels, map_label, loss: see :class:`LocalizerHead`.
        init_cfg: mmengine initialisation. Default: normal, std 0.01.

    Example:
        >>> head = CAMHead(num_classes=3, in_channels=8)
        >>> logits, maps = head.localize((torch.rand(2, 8, 14, 14),))
        >>> logits.shape, maps.shape
        (torch.Size([2, 3]), torch.Size([2, 14, 14]))
    """

    def __init__(self, num_classes: int, in_channels: int, **kwargs) -> None:
        kwargs.setdefault('init_cfg', dict(type='Normal', layer='Linear', std=0.01))
        super().__init__(num_classes, in_channels, **kwargs)
        self.fc = nn.Linear(in_channels, num_classes)

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Logits (N, C)."""
        return self.fc(last_map(feats, self.in_channels).mean(dim=(2, 3)))

    def localize(
        self, feats: tuple[Tensor, ...], labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits (N, C) and score maps (N, h, w), see :class:`LocalizerHead`."""
        logits = self(feats)
        labels = logits.argmax(dim=1) if labels is None else labels
        return logits, class_activation_maps(feats[-1], self.fc.weight[labels])
