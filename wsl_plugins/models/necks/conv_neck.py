"""Convolutions between backbone and head, which VGG16-GAP and InceptionV3 localizers have."""

from mmengine.model import BaseModule
from torch import Tensor, nn

from wsl_plugins.registry import MODELS

from mmcv.cnn import ConvModule


@MODELS.register_module()
class ConvNeck(BaseModule):
    """3x3 convolutions with ReLU on the last feature map; the earlier ones pass unchanged.

    With one convolution to 1,024 channels after VGG16 this is VGG16-GAP of CAM (CVPR 2016).

    Args:
        in_channels: channels of the last feature map.
        out_channels: channels of every convolution. Default 1024.
        num_convs: Default 1.
        dropout: probability of dropout before each convolution and after the last. Default 0.
        keep_input: True: the last feature map stays, the result is added behind it. Default False.
        init_cfg: mmengine initialisation. Default: Kaiming.

    Example:
        >>> ConvNeck(512)((torch.rand(2, 512, 14, 14),))[-1].shape
        torch.Size([2, 1024, 14, 14])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 1024,
        num_convs: int = 1,
        dropout: float = 0.0,
        keep_input: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg or dict(type='Kaiming', layer='Conv2d'))
        self.keep_input = keep_input
        layers = [nn.Dropout(dropout)]
        for k in range(num_convs):
            layers.append(
                ConvModule(out_channels if k else in_channels, out_channels, 3, padding=1)
            )
            layers.append(nn.Dropout(dropout))
        self.layers = nn.Sequential(*layers)

    def forward(self, feats: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Feature maps; the last one (N, in_channels, H, W) becomes (N, out_channels, H, W)."""
        return (*(feats if self.keep_input else feats[:-1]), self.layers(feats[-1]))
