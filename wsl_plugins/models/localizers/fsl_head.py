"""Few-shot baseline: a saliency map learned from the few annotated images."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from wsl_plugins.models.localizers.localizer_head import last_map
from wsl_plugins.registry import MODELS
from wsl_plugins.structures import IGNORED

from mmpretrain.structures import DataSample


def mask_targets(masks: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Share of object among the valid pixels of each cell, and share of valid pixels.

    Args:
        masks: (N, H, W) of 0 (background), 1 (object) and 255 (ignored).
        size: (h, w) of the cells.

    Returns:
        Targets and weights, each (N, h, w) in 0..1.
    """
    valid = (masks != IGNORED).float()
    area = F.adaptive_avg_pool2d(valid, size)
    object_ = F.adaptive_avg_pool2d((masks == 1).float(), size)
    return object_ / area.clamp(min=1e-6), area


@MODELS.register_module()
class FSLHead(BaseModule):
    """A 1x1 convolution to a saliency map, trained by pixel-wise binary cross entropy.

    Paper: Choe et al., CVPR 2020, section 5.1 (few-shot learning baseline): trained on the
    masks of ``train-fullsup``, where boxes count as filled masks. Class-agnostic: data samples get
    a ``score_map`` (h, w) and no class scores.

    Args:
        in_channels: channels of the last feature map.
        init_cfg: mmengine initialisation. Default: normal, std 0.01.

    Raises:
        ValueError: in the loss, an image without ``gt_seg_map``.

    Example:
        >>> FSLHead(8)((torch.rand(2, 8, 14, 14),)).shape
        torch.Size([2, 14, 14])
    """

    def __init__(self, in_channels: int, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg or dict(type='Normal', layer='Conv2d', std=0.01))
        self.conv = nn.Conv2d(in_channels, 1, 1)

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Logits of the saliency map, (N, h, w)."""
        return self.conv(last_map(feats, self.conv.in_channels)).squeeze(1)

    def loss(self, feats: tuple[Tensor, ...], data_samples: list[DataSample]) -> dict[str, Tensor]:
        """``loss``: mean over the valid pixels; cells count by their share of valid pixels."""
        logits = self(feats)
        for sample in data_samples:
            if 'gt_seg_map' not in sample:
                name = sample.get('image_id') or sample.get('img_path') or 'an image'
                raise ValueError(
                    f'{name} has no gt_seg_map: the training pipeline needs '
                    'wsl_plugins.LoadLocalizationMask'
                )
        masks = torch.stack([sample.gt_seg_map for sample in data_samples]).to(logits.device)
        targets, weights = mask_targets(masks, logits.shape[-2:])
        loss = F.binary_cross_entropy_with_logits(logits.float(), targets, weights, reduction='sum')
        return dict(loss=loss / weights.sum().clamp(min=1))

    def predict(
        self, feats: tuple[Tensor, ...], data_samples: list[DataSample] | None = None
    ) -> list[DataSample]:
        """Data samples with ``score_map`` (h, w): probability of object."""
        maps = self(feats).float().sigmoid()
        samples = data_samples or [DataSample() for _ in maps]
        for sample, score_map in zip(samples, maps, strict=True):
            sample.score_map = score_map
        return samples
