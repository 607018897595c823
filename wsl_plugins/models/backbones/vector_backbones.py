"""Backbones that give a vector per image: with fully connected layers or an auxiliary output.

Parameter names are torchvision's, so ``init_cfg=dict(type='Pretrained',
checkpoint='torchvision://vgg16')`` works; the last classification layer is not there.
"""

from torch import Tensor, nn

from wsl_plugins.models.backbones.dilated_vgg import PlainVGG
from wsl_plugins.registry import MODELS

from mmpretrain.models.backbones import InceptionV3


@MODELS.register_module()
class PooledVGG(PlainVGG):
    """mmcv's VGG with its last pooling and its two fully connected layers: the original structure.

    Simonyan and Zisserman, ICLR 2015; "VGG16" and "VGG-GAP" of PSOL (Zhang et al., CVPR 2020).

    The last feature map is pooled to 7x7 (which it has at 224 pixels), as in torchvision.

    Args:
        depth: 11, 13, 16 (default) or 19.
        fc_channels: width of the two layers. Default 4096. None: no such layers, the features are
            maps (N, 512, h, w) for global average pooling: VGG-GAP.
        init_cfg: mmengine initialisation. Default: Kaiming.

    Example:
        >>> PooledVGG(11, fc_channels=8)(torch.rand(1, 3, 64, 48))[0].shape
        torch.Size([1, 8])
    """

    def __init__(
        self, depth: int = 16, fc_channels: int | None = 4096, init_cfg: dict | None = None
    ) -> None:
        super().__init__(depth, -1, (4,), True, init_cfg=init_cfg)
        self.pool5 = nn.MaxPool2d(2)
        self.classifier = None
        if fc_channels is not None:
            self.avgpool = nn.AdaptiveAvgPool2d(7)
            self.classifier = nn.Sequential(
                nn.Linear(512 * 7 * 7, fc_channels),
                nn.ReLU(True),
                nn.Dropout(),
                nn.Linear(fc_channels, fc_channels),
                nn.ReLU(True),
                nn.Dropout(),
            )

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Vectors (N, fc_channels) or maps (N, 512, h, w), as a tuple; x is (N, 3, H, W)."""
        x = self.pool5(super().forward(x)[-1])
        return (x if self.classifier is None else self.classifier(self.avgpool(x).flatten(1)),)


@MODELS.register_module()
class AuxInceptionV3(InceptionV3):
    """InceptionV3 of mmpretrain whose last and auxiliary classification layers are left out.

    Szegedy et al., CVPR 2016. Images (N, 3, H, W) become (N, 768), in training only, and (N,
    2048).

    Args:
        kwargs: ``dropout`` (default 0.5) and ``init_cfg`` of mmpretrain's ``InceptionV3``.

    Example:
        >>> [x.shape[1] for x in AuxInceptionV3()(torch.rand(2, 3, 299, 299))]
        [768, 2048]
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(num_classes=1, aux_logits=True, **kwargs)
        self.fc = nn.Identity()
        self.AuxLogits.fc = nn.Identity()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Vectors: in training the auxiliary (N, 768), then (N, 2048); x is (N, 3, 299, 299)."""
        aux, last = super().forward(x)
        return (last,) if aux is None else (aux, last)
