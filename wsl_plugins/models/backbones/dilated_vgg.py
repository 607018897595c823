"""VGG with fewer poolings: the backbone of most weakly supervised detectors, and of localizers."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from wsl_plugins.registry import MODELS

from mmcv.cnn import VGG


class PlainVGG(VGG, BaseModule):
    """mmcv's VGG without its last pooling, as a module of mmengine that returns a tuple.

    Stages are frozen when it is built: mmcv freezes in ``train()``, which the runner calls after
    ``DistributedDataParallel`` has noted whose gradients it will wait for.

    Parameter names are torchvision's (``features.N``), so ``init_cfg=dict(type='Pretrained',
    checkpoint='torchvision://vgg16')`` works.

    Args:
        depth: 11, 13, 16 or 19.
        frozen_stages: number of stages whose parameters stay fixed; -1 or 0: none.
        out_indices: stages to return, 0..4.
        with_pool4: False leaves the fourth pooling out as well.
        conv5_dilation: dilation of the last stage.
        init_cfg: mmengine initialisation. Default: Kaiming.

    Raises:
        ValueError: ``frozen_stages`` is not in -1..5.
    """

    def __init__(
        self,
        depth: int,
        frozen_stages: int,
        out_indices: Sequence[int],
        with_pool4: bool,
        conv5_dilation: int = 1,
        init_cfg: dict | None = None,
    ) -> None:
        if not -1 <= frozen_stages <= 5:
            raise ValueError(f'frozen_stages must be in -1..5, got {frozen_stages}')
        super().__init__(
            depth,
            dilations=(1, 1, 1, 1, conv5_dilation),
            out_indices=out_indices,
            frozen_stages=frozen_stages,
            with_last_pool=False,
        )
        self.init_cfg = init_cfg or dict(type='Kaiming', layer='Conv2d')
        if not with_pool4:
            pool4 = self.range_sub_modules[3][1] - 1
            self.features[pool4] = nn.Identity()  # keeps torchvision's numbering
        if frozen_stages > 0:
            self.features[: self.range_sub_modules[frozen_stages - 1][1]].requires_grad_(False)

    def init_weights(self) -> None:
        """Initialise as ``init_cfg`` says (mmcv's VGG has its own, older, way)."""
        BaseModule.init_weights(self)

    def train(self, mode: bool = True) -> 'PlainVGG':
        """As mmcv's, which returns None."""
        super().train(mode)
        return self

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Feature maps of the stages ``out_indices``, as a tuple; x is (N, 3, H, W)."""
        outs = super().forward(x)
        return outs if isinstance(outs, tuple) else (outs,)


@MODELS.register_module()
class DilatedVGG(PlainVGG):
    """mmcv's VGG without its last two poolings and with a dilated conv5: stride 8 instead of 32.

    The backbone of the published MIST (Ren et al., CVPR 2020).

    Args:
        depth: 11, 13, 16 (default) or 19.
        frozen_stages: number of stages whose parameters stay fixed. Default 2 (conv1, conv2), as
            published.
        out_indices: stages to return, 0..4. Default (4,).
        last_relu: False leaves out the ReLU behind the last convolution, as the models released
            with MIST do. Default True.
        init_cfg: mmengine initialisation. Default: Kaiming.

    Raises:
        ValueError: ``frozen_stages`` is not in -1..5.

    Example:
        >>> DilatedVGG(depth=11)(torch.rand(1, 3, 64, 48))[0].shape
        torch.Size([1, 512, 8, 6])
    """

    def __init__(
        self,
        depth: int = 16,
        frozen_stages: int = 2,
        out_indices: Sequence[int] = (4,),
        last_relu: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(depth, frozen_stages, out_indices, False, 2, init_cfg)
        if not last_relu:
            self.features[-1] = nn.Identity()
