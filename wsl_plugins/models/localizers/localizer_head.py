"""What all heads of localizers share: class scores and a score map in one data sample."""

from abc import abstractmethod

import torch
from mmengine.model import Sequential
from torch import Tensor, nn

from mmpretrain.models.heads import ClsHead
from mmpretrain.structures import DataSample

MAP_LABELS = ('gt', 'pred')


def normalize_maps(maps: Tensor) -> Tensor:
    """Each map scaled to 0..1 by its minimum and maximum; a constant map becomes zeros.

    Args:
        maps: (..., H, W).

    Example:
        >>> normalize_maps(torch.tensor([[1.0, 3.0, 2.0]]))
        tensor([[0.0000, 1.0000, 0.5000]])
    """
    low, high = maps.amin(dim=(-2, -1), keepdim=True), maps.amax(dim=(-2, -1), keepdim=True)
    span = high - low
    return (maps - low) / torch.where(span > 0, span, 1)


def pick_maps(class_maps: Tensor, labels: Tensor) -> Tensor:
    """The map of one class per image: (N, C, H, W) and labels (N,) to (N, H, W)."""
    return class_maps[torch.arange(labels.shape[0], device=labels.device), labels]


def last_map(feats: tuple[Tensor, ...], channels: int) -> Tensor:
    """The last feature map (N, D, h, w).

    Raises:
        ValueError: it is no map, or D is not ``channels``.
    """
    found = feats[-1]
    if found.dim() != 4:
        raise ValueError(
            f'the head needs a feature map (N, {channels}, h, w), got {tuple(found.shape)}: no '
            "GlobalAveragePooling as neck; backbones that pool give maps with out_type='featmap' "
            '(ViT, DeiT, BEiT) or gap_before_final_norm=False (ConvNeXt, HorNet, EdgeNeXt, TinyViT)'
        )
    if found.shape[1] != channels:
        raise ValueError(
            f'the head has in_channels={channels}, the backbone or neck gives a map of '
            f'{found.shape[1]} channels {tuple(found.shape)}'
        )
    return found


def class_conv(in_channels: int, num_classes: int) -> Sequential:
    """1x1 convolution to class maps, initialised as a classifier: normal, std 0.01."""
    return Sequential(
        nn.Conv2d(in_channels, num_classes, 1),
        init_cfg=dict(type='Normal', layer='Conv2d', std=0.01),
    )


def gt_labels(data_samples: list[DataSample]) -> Tensor:
    """Labels (N,) of the images.

    Raises:
        ValueError: an image has no label, or several.
    """
    for sample in data_samples:
        found = sample.gt_label.numel() if 'gt_label' in sample else 0
        if found != 1:
            name = sample.get('image_id') or sample.get('img_path') or 'an image'
            raise ValueError(
                f'{name} has {found} labels (gt_label): the score map of the true class needs '
                "exactly one; set map_label='pred' for that of the predicted class"
            )
    return torch.cat([sample.gt_label for sample in data_samples])


class LocalizerHead(ClsHead):
    """Head of a classifier that also gives a score map for one class of each image.

    Predictions are data samples with ``pred_score`` (C,), ``pred_label`` (1,), ``score_map``
    (h, w): the raw map at the resolution of the features, and ``score_map_label`` (1,), the class
    it belongs to. Resizing and min-max normalisation are part of the evaluation.

    Args:
        num_classes: C.
        in_channels: channels of the last feature map.
        map_label: ``'gt'`` (default): map of the true class, as GT-known metrics need it;
            ``'pred'``: of the predicted class.
        loss: loss of mmpretrain. Default ``dict(type='CrossEntropyLoss')``.
        init_cfg: mmengine initialisation.

    Raises:
        ValueError: ``map_label`` is neither, or no class.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        map_label: str = 'gt',
        loss: dict | None = None,
        init_cfg: dict | list | None = None,
    ) -> None:
        if map_label not in MAP_LABELS:
            raise ValueError(f'map_label must be one of {MAP_LABELS}, got {map_label!r}')
        if num_classes < 1:
            raise ValueError(f'num_classes must be at least 1, got {num_classes}')
        super().__init__(loss=loss or dict(type='mmpretrain.CrossEntropyLoss'), init_cfg=init_cfg)
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.map_label = map_label

    @abstractmethod
    def localize(
        self, feats: tuple[Tensor, ...], labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits (N, C) and score maps (N, h, w) of ``labels``, or of the predicted classes."""

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Logits (N, C)."""
        return self.localize(feats)[0]

    def predict(
        self, feats: tuple[Tensor, ...], data_samples: list[DataSample] | None = None
    ) -> list[DataSample]:
        """Data samples with class scores and score map (see the class)."""
        labels = None
        if self.map_label == 'gt':
            if data_samples is None:
                raise ValueError("map_label='gt' needs data samples; set map_label='pred'")
            labels = gt_labels(data_samples)
        logits, maps = self.localize(feats, labels)
        if labels is None:
            labels = logits.argmax(dim=1)
        samples = self._get_predictions(logits, data_samples)
        for sample, score_map, label in zip(samples, maps.float(), labels, strict=True):
            sample.score_map = score_map
            sample.score_map_label = label.reshape(1)
        return samples
