"""Backbones of localizers: those of the hosts, with the size of the score map as an option.

Evaluating weakly supervised object localization methods right (CVPR 2020), section C.1: at an input
of 224 pixels the score map has 14 or 28 cells a side, whatever the backbone. Strides are removed,
no convolution is dilated. Parameter names are torchvision's.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from wsl_plugins.models.backbones.dilated_vgg import PlainVGG
from wsl_plugins.registry import MODELS

from mmpretrain.models.backbones import InceptionV3, ResNet, VisionTransformer

SCORE_MAP_SIZES = (14, 28)


def check_size(score_map_size: int) -> None:
    """Raises: ValueError: the size is neither 14 nor 28."""
    if score_map_size not in SCORE_MAP_SIZES:
        raise ValueError(f'score_map_size must be one of {SCORE_MAP_SIZES}, got {score_map_size}')


@MODELS.register_module()
class LocalizerResNet(ResNet):
    """ResNet of mmpretrain with stride 16 (score maps of 14x14 at 224 pixels) or 8 (28x28).

    Args:
        depth: 18, 34, 50 (default), 101 or 152.
        score_map_size: 14 (default): layer4 has stride 1; 28: layer3 as well.
        split_layer3: True: the output of the first block of layer3 comes before the others, as SPG
            needs it. Default False.
        kwargs: options of mmpretrain's ``ResNet`` other than ``strides``.

    Raises:
        ValueError: ``score_map_size`` is neither 14 nor 28.

    Example:
        >>> LocalizerResNet(18, score_map_size=28)(torch.rand(1, 3, 224, 224))[0].shape
        torch.Size([1, 512, 28, 28])
    """

    def __init__(
        self, depth: int = 50, score_map_size: int = 14, split_layer3: bool = False, **kwargs
    ) -> None:
        check_size(score_map_size)
        super().__init__(depth, strides=(1, 2, 2 if score_map_size == 14 else 1, 1), **kwargs)
        self.split_layer3 = split_layer3

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Feature maps of ``out_indices``, after that of ``split_layer3``; x is (N, 3, H, W)."""
        if not self.split_layer3:
            return super().forward(x)
        first = []
        hook = self.layer3[0].register_forward_hook(lambda block, args, out: first.append(out))
        try:
            outs = super().forward(x)
        finally:
            hook.remove()
        return (*first, *outs)


@MODELS.register_module()
class LocalizerVGG(PlainVGG):
    """mmcv's VGG without the last pooling (14x14 at 224 pixels) or the last two (28x28).

    Args:
        depth: 11, 13, 16 (default) or 19.
        score_map_size: 14 (default) or 28.
        frozen_stages: number of stages whose parameters stay fixed. Default -1 (none).
        out_indices: stages to return, 0..4. Default (4,).
        init_cfg: mmengine initialisation. Default: Kaiming.

    Raises:
        ValueError: ``score_map_size`` is neither 14 nor 28, or ``frozen_stages`` not in -1..5.

    Example:
        >>> LocalizerVGG(11)(torch.rand(1, 3, 224, 224))[0].shape
        torch.Size([1, 512, 14, 14])
    """

    def __init__(
        self,
        depth: int = 16,
        score_map_size: int = 14,
        frozen_stages: int = -1,
        out_indices: Sequence[int] = (4,),
        init_cfg: dict | None = None,
    ) -> None:
        check_size(score_map_size)
        super().__init__(depth, frozen_stages, out_indices, score_map_size == 14, 1, init_cfg)


@MODELS.register_module()
class LocalizerInceptionV3(InceptionV3):
    """InceptionV3 of mmpretrain up to Mixed_6e, with score maps of 28x28 at 224 pixels or 14x14.

    As published for localization: the first convolution and the poolings are padded, and the
    reduction in Mixed_6a becomes a max pooling before it, which is left out for 28x28.

    Args:
        score_map_size: 14 (default) or 28.
        out_indices: 0: Mixed_5d (288 channels), 1: Mixed_6e, 2: Mixed_6d (768 channels), in the
            order of the result. Default (1,).
        init_cfg: mmengine initialisation. Default: mmpretrain's.

    Raises:
        ValueError: ``score_map_size`` is neither 14 nor 28, or an index is not 0, 1 or 2.

    Example:
        >>> LocalizerInceptionV3()(torch.rand(1, 3, 224, 224))[0].shape
        torch.Size([1, 768, 14, 14])
    """

    def __init__(
        self,
        score_map_size: int = 14,
        out_indices: Sequence[int] = (1,),
        **kwargs,
    ) -> None:
        check_size(score_map_size)
        if not out_indices or not set(out_indices) <= {0, 1, 2}:
            raise ValueError(
                'out_indices may hold 0 (Mixed_5d), 1 (Mixed_6e) and 2 (Mixed_6d), got '
                f'{out_indices}'
            )
        super().__init__(**kwargs)
        self.out_indices = tuple(out_indices)
        for unused in ('AuxLogits', 'Mixed_7a', 'Mixed_7b', 'Mixed_7c', 'avgpool', 'dropout', 'fc'):
            delattr(self, unused)
        self.Conv2d_1a_3x3.conv.padding = (1, 1)
        self.maxpool1 = nn.MaxPool2d(3, 2, padding=1, ceil_mode=True)
        self.maxpool2 = nn.MaxPool2d(3, 2, padding=1, ceil_mode=True)
        reduce = score_map_size == 14
        self.maxpool3 = nn.MaxPool2d(3, 2, ceil_mode=True) if reduce else nn.Identity()
        for block in (self.Mixed_6a.branch3x3, self.Mixed_6a.branch3x3dbl_3):
            block.conv.stride = block.conv.padding = (1, 1)
        self.Mixed_6a.branch_pool = nn.MaxPool2d(3, 1, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Feature maps of ``out_indices``; x is (N, 3, H, W)."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(self.maxpool1(x)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(self.maxpool2(x))))
        mixed_5d = self.maxpool3(x)
        mixed_6d = self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(mixed_5d))))
        outs = (mixed_5d, self.Mixed_6e(mixed_6d), mixed_6d)
        return tuple(outs[i] for i in self.out_indices)


@MODELS.register_module()
class LocalizerViT(VisionTransformer):
    """VisionTransformer of mmpretrain that gives its class token beside the map of its patches.

    For heads that use both, TriLite's (CVPR 2026). The map comes last, so that every other head
    works too; a patch is a cell.

    Args:
        kwargs: options of mmpretrain's ``VisionTransformer`` other than ``out_type``.

    Example:
        >>> vit = LocalizerViT(arch='deit-tiny', img_size=224, patch_size=16)
        >>> [tuple(x.shape) for x in vit(torch.rand(1, 3, 224, 224))]
        [(1, 192), (1, 192, 14, 14)]
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(out_type='featmap', with_cls_token=True, **kwargs)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Class token (N, D) and map (N, D, h, w) of each of ``out_indices``; x is (N, 3, H, W)."""
        return tuple(part for pair in super().forward(x) for part in pair)

    def _format_output(self, x: Tensor, hw: tuple[int, int]) -> tuple[Tensor, Tensor]:
        return x[:, 0], super()._format_output(x, hw)
