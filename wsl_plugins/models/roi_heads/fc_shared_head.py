"""Fully connected layers per proposal (fc6 and fc7 of VGG16, or smaller ones)."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from wsl_plugins.registry import MODELS


@MODELS.register_module()
class FCSharedHead(BaseModule):
    """Flatten, then (linear, ReLU, dropout) per layer. With the defaults the parameter names and
    shapes are those of torchvision's VGG16 (``classifier.0``, ``classifier.3``), so
    ``init_cfg=dict(type='Pretrained', checkpoint='torchvision://vgg16')`` loads fc6 and fc7.

    Of WSDDN (Bilen and Vedaldi, CVPR 2016) and those after it: (R, C, S, S) pooled features
    become (R, D).

    Args:
        in_channels: channels of the pooled features. Default 512.
        roi_feat_size: side of the pooled features. Default 7.
        fc_channels: output length of each layer. Default (4096, 4096).
        dropout: drop probability. Default 0.5.
        init_cfg: mmengine initialisation. Default: Xavier uniform.

    Example:
        >>> head = FCSharedHead(in_channels=2, roi_feat_size=3, fc_channels=(8,))
        >>> head(torch.rand(5, 2, 3, 3)).shape
        torch.Size([5, 8])
    """

    def __init__(
        self,
        in_channels: int = 512,
        roi_feat_size: int = 7,
        fc_channels: Sequence[int] = (4096, 4096),
        dropout: float = 0.5,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            init_cfg=init_cfg or dict(type='Xavier', layer='Linear', distribution='uniform')
        )
        layers: list[nn.Module] = []
        channels = in_channels * roi_feat_size**2
        for out_channels in fc_channels:
            layers += [
                nn.Linear(channels, out_channels),
                nn.ReLU(inplace=True),
                nn.Dropout(dropout),
            ]
            channels = out_channels
        self.classifier = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Vectors (R, D) of pooled features (R, C, size, size)."""
        return self.classifier(x.flatten(1))
