"""Self-produced Guidance (ECCV 2018)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from torch import Tensor, nn

from wsl_plugins.models.localizers.localizer_head import (
    LocalizerHead,
    class_conv,
    gt_labels,
    last_map,
    normalize_maps,
    pick_maps,
)
from wsl_plugins.registry import MODELS
from wsl_plugins.structures import IGNORED

from mmpretrain.structures import DataSample

MIN_FOREGROUND = 30


def guidance_masks(attention: Tensor, low: float, high: float) -> Tensor:
    """Masks of object (1), background (0) and unsure (255) cells.

    Object where the attention exceeds ``high``; where fewer than 30 cells of an image do, where it
    exceeds 0.7 times its maximum. Background where it lies below ``low``, which overrules. As
    published; the 30 cells are counted at the resolution of the mask.

    Args:
        attention: (N, H, W) in 0..1; no gradient passes.
        low, high: thresholds.

    Returns:
        (N, H, W), dtype of the attention.
    """
    attention = attention.detach()
    object_ = attention > high
    few = object_.sum(dim=(1, 2), keepdim=True) < MIN_FOREGROUND
    near_peak = attention > 0.7 * attention.amax(dim=(1, 2), keepdim=True)
    masks = torch.full_like(attention, IGNORED)
    masks[torch.where(few, near_peak, object_)] = 1
    masks[attention < low] = 0
    return masks


def guidance_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Binary cross entropy, mean over the cells of the batch that are not unsure; 0 without any.

    In a distributed run the sum is divided by the mean number of such cells over the processes, so
    that the gradients are those of one process with all images.

    Args:
        logits: (N, H, W).
        masks: (N, H, W) of 0, 1 and 255.
    """
    sure = masks != IGNORED
    count = sure.sum().float()
    all_reduce(count, op='mean')
    loss = F.binary_cross_entropy_with_logits(
        logits[sure].float(), masks[sure].float(), reduction='sum'
    )
    return loss / count.clamp(min=1e-6)


def conv3x3(in_channels: int, out_channels: int) -> nn.Sequential:
    """3x3 convolution and ReLU."""
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.ReLU(inplace=True))


@MODELS.register_module()
class SPGHead(LocalizerHead):
    """Attention of the classifier teaches two branches on earlier features, those teach a third.

    Paper: Self-produced Guidance for Weakly-supervised Object Localization, section 3. The class
    map of the true class, min-max normalised, gives the mask for branch B2; the output of B2 that
    for B1; the mean of both that for C. B1 and B2 share their last layers. All at ``mask_size``
    after bilinear resizing. The score map is the class map, as published; branches B and C work
    through what they teach the backbone.

    The backbone must return three feature maps: for B1, for B2 and the last one.

    Args:
        num_classes, in_channels, map_label, loss: see :class:`LocalizerHead`.
        branch_channels: channels of the feature maps of B1 and B2.
        thresholds_b1: (low, high) of the mask that teaches B1. Default (0.05, 0.5).
        thresholds_b2: Default (0.01, 0.7).
        thresholds_c: Default (0.1, 0.7).
        mid_channels: of the branches B1 and B2. Default 512.
        mid_channels_c: of branch C. Default 512.
        mask_size: side of the masks. Default 224.
        init_cfg: mmengine initialisation. Default: Xavier, uniform (published code); the classifier
            normal, std 0.01.

    Raises:
        ValueError: thresholds that are not 0 <= low <= high <= 1.

    Example:
        >>> head = SPGHead(3, 8, branch_channels=(4, 6), mid_channels=4, mid_channels_c=4)
        >>> feats = torch.rand(1, 4, 28, 28), torch.rand(1, 6, 14, 14), torch.rand(1, 8, 14, 14)
        >>> head.localize(feats)[1].shape
        torch.Size([1, 14, 14])
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        branch_channels: Sequence[int],
        thresholds_b1: Sequence[float] = (0.05, 0.5),
        thresholds_b2: Sequence[float] = (0.01, 0.7),
        thresholds_c: Sequence[float] = (0.1, 0.7),
        mid_channels: int = 512,
        mid_channels_c: int = 512,
        mask_size: int = 224,
        **kwargs,
    ) -> None:
        for name, pair in zip(
            ('b1', 'b2', 'c'), (thresholds_b1, thresholds_b2, thresholds_c), strict=True
        ):
            if len(pair) != 2 or not 0 <= pair[0] <= pair[1] <= 1:
                raise ValueError(f'thresholds_{name} must be 0 <= low <= high <= 1, got {pair}')
        kwargs.setdefault('init_cfg', dict(type='Xavier', layer='Conv2d', distribution='uniform'))
        super().__init__(num_classes, in_channels, **kwargs)
        self.thresholds_b1, self.thresholds_b2 = thresholds_b1, thresholds_b2
        self.thresholds_c = thresholds_c
        self.mask_size = mask_size
        self.classifier = class_conv(in_channels, num_classes)
        self.branch_b1 = conv3x3(branch_channels[0], mid_channels)
        self.branch_b2 = conv3x3(branch_channels[1], mid_channels)
        self.shared_b = nn.Sequential(
            conv3x3(mid_channels, mid_channels), nn.Conv2d(mid_channels, 1, 1)
        )
        self.branch_c = nn.Sequential(
            conv3x3(in_channels, mid_channels_c), nn.Conv2d(mid_channels_c, 1, 1)
        )

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Logits (N, C)."""
        return self.classifier(last_map(feats, self.in_channels)).mean(dim=(2, 3))

    def upsample(self, maps: Tensor) -> Tensor:
        """(N, 1, h, w) to (N, mask_size, mask_size), bilinear."""
        return F.interpolate(maps, (self.mask_size, self.mask_size), mode='bilinear').squeeze(1)

    def loss(
        self, feats: tuple[Tensor, ...], data_samples: list[DataSample], **kwargs
    ) -> dict[str, Tensor]:
        """``loss_cls``, and ``loss_b1``, ``loss_b2``, ``loss_c`` of the guided branches."""
        class_maps = self.classifier(last_map(feats, self.in_channels))
        losses = self._get_loss(class_maps.mean(dim=(2, 3)), data_samples, **kwargs)
        own = pick_maps(class_maps, gt_labels(data_samples)).unsqueeze(1)
        attention = normalize_maps(self.upsample(own.detach()))
        b1 = self.upsample(self.shared_b(self.branch_b1(feats[-3])))
        b2 = self.upsample(self.shared_b(self.branch_b2(feats[-2])))
        c = self.upsample(self.branch_c(feats[-1]))
        fused = (b1.sigmoid() + b2.sigmoid()) / 2
        return dict(
            loss_cls=losses['loss'],
            loss_b1=guidance_loss(b1, guidance_masks(b2.sigmoid(), *self.thresholds_b1)),
            loss_b2=guidance_loss(b2, guidance_masks(attention, *self.thresholds_b2)),
            loss_c=guidance_loss(c, guidance_masks(fused, *self.thresholds_c)),
        )

    def localize(
        self, feats: tuple[Tensor, ...], labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits (N, C) and score maps (N, h, w), see :class:`LocalizerHead`."""
        class_maps = self.classifier(last_map(feats, self.in_channels))
        logits = class_maps.mean(dim=(2, 3))
        labels = logits.argmax(dim=1) if labels is None else labels
        return logits, pick_maps(class_maps, labels)
