"""Adversarial Complementary Learning (CVPR 2018)."""

import torch
from torch import Tensor, nn

from wsl_plugins.models.localizers.localizer_head import (
    LocalizerHead,
    gt_labels,
    last_map,
    normalize_maps,
    pick_maps,
)
from wsl_plugins.registry import MODELS

from mmpretrain.structures import DataSample


def erase(feats: Tensor, maps: Tensor, threshold: float) -> Tensor:
    """Features with the cells set to zero where the min-max normalised map reaches the threshold.

    Args:
        feats: (N, D, H, W).
        maps: score maps of branch A, (N, H, W); no gradient passes.
        threshold: in 0..1; 0 erases everything, 1 the maximum only.

    Example:
        >>> erase(torch.ones(1, 1, 1, 3), torch.tensor([[[0.0, 2.0, 4.0]]]), 0.5)
        tensor([[[[1., 0., 0.]]]])
    """
    keep = normalize_maps(maps.detach()) < threshold
    return feats * keep.unsqueeze(1).to(feats.dtype)


def branch(in_channels: int, mid_channels: int, num_classes: int) -> nn.Sequential:
    """Two 3x3 convolutions and a 1x1 convolution to the class maps."""
    return nn.Sequential(
        nn.Conv2d(in_channels, mid_channels, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(mid_channels, mid_channels, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(mid_channels, num_classes, 1),
    )


@MODELS.register_module()
class ACoLHead(LocalizerHead):
    """Two classifiers; the second sees the features without what the first found.

    Paper: Adversarial Complementary Learning for Weakly Supervised Object Localization, algorithm
    1. Branch A gives class maps whose means are the logits; cells where A's normalised map of the
    true class reaches ``erase_threshold`` are zero for branch B. Losses: cross entropy of both. The
    score map is the maximum of both normalised maps; the class scores are A's.

    Args:
        num_classes, in_channels, map_label, loss: see :class:`LocalizerHead`.
        erase_threshold: in 0..1. Default 0.7.
        mid_channels: of the convolutions. Default 1024.
        init_cfg: mmengine initialisation. Default: Kaiming. With few ``mid_channels`` give it
            ``mode='fan_in'``: by the default, ``fan_out``, what comes out of a branch is larger
            than what goes in, by the root of ``in_channels / mid_channels``.

    Raises:
        ValueError: the threshold lies outside 0..1.

    Example:
        >>> head = ACoLHead(num_classes=3, in_channels=8, mid_channels=4)
        >>> head.localize((torch.rand(2, 8, 14, 14),))[1].shape
        torch.Size([2, 14, 14])
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        erase_threshold: float = 0.7,
        mid_channels: int = 1024,
        **kwargs,
    ) -> None:
        if not 0 <= erase_threshold <= 1:
            raise ValueError(f'erase_threshold must lie in 0..1, got {erase_threshold}')
        kwargs.setdefault('init_cfg', dict(type='Kaiming', layer='Conv2d'))
        super().__init__(num_classes, in_channels, **kwargs)
        self.erase_threshold = erase_threshold
        self.branch_a = branch(in_channels, mid_channels, num_classes)
        self.branch_b = branch(in_channels, mid_channels, num_classes)

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Logits (N, C) of branch A."""
        return self.branch_a(last_map(feats, self.in_channels)).mean(dim=(2, 3))

    def class_maps(
        self, feats: tuple[Tensor, ...], labels: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Class maps (N, C, h, w) of A and of B, and the labels (N,), predicted if not given."""
        last = last_map(feats, self.in_channels)
        maps_a = self.branch_a(last)
        if labels is None:
            labels = maps_a.mean(dim=(2, 3)).argmax(dim=1)
        erased = erase(last, pick_maps(maps_a, labels), self.erase_threshold)
        return maps_a, self.branch_b(erased), labels

    def loss(
        self, feats: tuple[Tensor, ...], data_samples: list[DataSample], **kwargs
    ) -> dict[str, Tensor]:
        """``loss_a`` and ``loss_b``, the classification losses of both branches."""
        maps_a, maps_b, _ = self.class_maps(feats, gt_labels(data_samples))
        return {
            f'loss_{name}': self._get_loss(maps.mean(dim=(2, 3)), data_samples, **kwargs)['loss']
            for name, maps in (('a', maps_a), ('b', maps_b))
        }

    def localize(
        self, feats: tuple[Tensor, ...], labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits (N, C) of A and score maps (N, h, w), see :class:`LocalizerHead`."""
        maps_a, maps_b, labels = self.class_maps(feats, labels)
        both = [normalize_maps(pick_maps(maps, labels)) for maps in (maps_a, maps_b)]
        return maps_a.mean(dim=(2, 3)), torch.maximum(*both)
