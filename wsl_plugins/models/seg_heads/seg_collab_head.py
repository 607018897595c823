"""Segmentation branch of SDCN."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from wsl_plugins.registry import MODELS

from mmcv.cnn import ConvModule
from mmdet.models.backbones.resnet import Bottleneck


@MODELS.register_module()
class SegCollabHead(BaseModule):
    """Softmax maps over the classes and the background from several feature maps.

    Papers: Li et al., ICCV 2019, section 3.2 (equations 8-9); its form is the RefineNet of the
    `Cascaded Pyramid Network <https://arxiv.org/abs/1711.07319>`_. Each feature map passes a 1x1
    convolution and as many bottlenecks as its place from 0, is resized to the largest of them, and
    all together pass a bottleneck and a 3x3 convolution. Group normalisation everywhere.

    Args:
        in_channels: of each feature map, e.g. (256, 512, 512) for conv3 to conv5 of VGG16.
        num_classes: C.
        channels: of the convolutions, a multiple of ``4 * num_groups``. Default 256.
        num_groups: of the group normalisation. Default 32.
        init_cfg: mmengine initialisation. Default: Kaiming, the last layer normal, std 0.01, so
            that all classes are about as likely at the start.

    Raises:
        ValueError: ``channels`` is no multiple of ``4 * num_groups``.

    Example:
        >>> head = SegCollabHead((8, 16, 16), num_classes=3)
        >>> feats = tuple(torch.rand(2, c, 20, 15) for c in (8, 16, 16))
        >>> head(feats).shape
        torch.Size([2, 4, 20, 15])
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        num_classes: int,
        channels: int = 256,
        num_groups: int = 32,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if channels % (4 * num_groups):
            raise ValueError(
                f'channels must be a multiple of 4 * num_groups = {4 * num_groups}, got {channels}'
            )
        last = dict(type='Normal', std=0.01, override=dict(name='conv_seg'))
        super().__init__(init_cfg=init_cfg or [dict(type='Kaiming', layer='Conv2d'), last])
        norm = dict(type='GN', num_groups=num_groups)
        inner = channels // Bottleneck.expansion
        self.laterals = nn.ModuleList(
            nn.Sequential(
                ConvModule(channel, channels, 1, norm_cfg=norm),
                *(Bottleneck(channels, inner, norm_cfg=norm) for _ in range(place)),
            )
            for place, channel in enumerate(in_channels)
        )
        merged = len(in_channels) * channels
        shortcut = ConvModule(merged, channels, 1, norm_cfg=norm, act_cfg=None)
        self.merge = Bottleneck(merged, inner, norm_cfg=norm, downsample=shortcut)
        self.conv_seg = nn.Conv2d(channels, num_classes + 1, 3, padding=1)

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Maps (N, C + 1, h, w), float32, that sum to 1 over the channels; h, w of the largest map.

        Args:
            feats: one (N, in_channels[i], h_i, w_i) per place.

        Raises:
            ValueError: another number of feature maps.
        """
        if len(feats) != len(self.laterals):
            raise ValueError(
                f'expected {len(self.laterals)} feature maps, as in_channels has, got {len(feats)}'
            )
        outs = [lateral(x) for lateral, x in zip(self.laterals, feats, strict=True)]
        size = max((out.shape[-2:] for out in outs), key=lambda s: s[0] * s[1])
        outs = [F.interpolate(o, size, mode='bilinear', align_corners=False) for o in outs]
        logits = self.conv_seg(self.merge(torch.cat(outs, dim=1)))
        return logits.float().softmax(dim=1)
