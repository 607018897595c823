"""Adversarial classifier of SDCN: an image classifier whose features are masked."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from wsl_plugins.models.frozen import frozen
from wsl_plugins.models.seg_heads.seg_losses import (
    adversarial_loss,
    classifier_loss,
    masked_channels,
)
from wsl_plugins.registry import MODELS


@MODELS.register_module()
class MaskedClassifier(BaseModule):
    """Classifier f_C of Li et al., ICCV 2019 (SDCN), section 3.2.

    The mask multiplies the output of one layer. All layers before it see each image once, however
    many masks the image has.

    Args:
        classifier: a multi-label ``ImageClassifier`` of mmpretrain by its config, types with their
            scope; it returns logits. Its own ``init_cfg`` loads what was trained before.
        mask_after: dotted name of the masked layer in the classifier. Default
            ``'backbone.layer3'``, as published (res4b22 of ResNet-101).
        init_cfg: mmengine initialisation.

    Raises:
        ValueError: no layer of that name.

    Example:
        ``classifier=dict(type='wsl_plugins.MaskedClassifier', classifier=dict(
        type='wsl_plugins.WSOLClassifier', data_preprocessor=dict(num_classes=20),
        backbone=dict(type='mmpretrain.ResNet', depth=101, norm_eval=True),
        neck=dict(type='mmpretrain.GlobalAveragePooling'),
        head=dict(type='mmpretrain.MultiLabelLinearClsHead', num_classes=20, in_channels=2048)))``
    """

    def __init__(
        self,
        classifier: dict,
        mask_after: str = 'backbone.layer3',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.classifier = MODELS.build(classifier)
        self.mask_after = mask_after
        if mask_after not in dict(self.classifier.named_modules()):
            raise ValueError(f'mask_after: the classifier has no layer {mask_after!r}')

    def forward(self, images: Tensor, masks: Tensor, index: Tensor) -> Tensor:
        """Logits (M, C) of masked images.

        Args:
            images: (N, 3, H, W).
            masks: (M, h, w) in [0, 1] over the whole input; resized to the masked features.
            index: (M,) int64, the image of each mask.
        """

        def apply(_module: torch.nn.Module, _args: tuple, feats: Tensor) -> Tensor:
            resized = F.interpolate(
                masks[:, None], feats.shape[-2:], mode='bilinear', align_corners=False
            )
            return feats[index] * resized.to(feats.dtype)

        hook = self.classifier.get_submodule(self.mask_after).register_forward_hook(apply)
        try:
            return self.classifier(images, mode='tensor')
        finally:
            hook.remove()

    @contextmanager
    def fixed(self) -> Iterator[None]:
        """Within it no parameter takes part in a graph, and no statistics are updated."""
        training = [m for m in self.modules() if m.training]
        for module in training:
            module.training = False
        try:
            with frozen(self.parameters()):
                yield
        finally:
            for module in training:
                module.training = True

    def generator_loss(self, images: Tensor, maps: Tensor, labels: Tensor) -> Tensor:
        """Adversarial loss of the maps (equation 11), this classifier fixed.

        Args:
            images: (N, 3, H, W).
            maps: (N, C + 1, h, w) segmentation maps over the whole input.
            labels: (N, C) image labels, 0 or 1.
        """
        index, channel = masked_channels(labels, background=True)
        masks = maps[index, channel]
        with self.fixed():
            logits = self(images, torch.cat([masks, 1 - masks]), index.repeat(2))
        inside, outside = logits.chunk(2)
        return adversarial_loss(inside, outside, labels, index, channel)

    def classifier_loss(self, images: Tensor, maps: Tensor, labels: Tensor) -> Tensor:
        """Loss of this classifier (equations 14-15), the maps fixed; arguments as above."""
        index, channel = masked_channels(labels, background=False)
        maps = maps.detach()
        masks = torch.cat([torch.ones_like(maps[:, 0]), 1 - maps[index, channel]])
        everything = torch.arange(len(images), device=index.device)
        logits = self(images, masks, torch.cat([everything, index]))
        return classifier_loss(logits[: len(images)], logits[len(images) :], labels, index)
