"""The last stages of a network of timm, on each proposal."""

from torch import Tensor, nn

from wsl_plugins.models.timm_networks import TimmPart
from wsl_plugins.registry import MODELS


@MODELS.register_module()
class TimmSharedHead(TimmPart):
    """What a convolutional network of timm does behind a level of features.

    Follows :class:`wsl_plugins.models.backbones.TimmBackbone` with ``out_indices=(after,)``, as C5
    of a ResNet follows C4 (He et al., CVPR 2016): (R, C, h, w) become (R, D, h / 2, w / 2). Cells
    of odd sides, as 7, lie in the middle, with TensorFlow's padding too.

    Args:
        model_name: as of the backbone.
        after: level whose maps are pooled. Default 3: stride 16; of EfficientNet-Lite0, stages 6
            and 7 and the last convolution are left.
        frozen_norm: True: all BatchNorm keep parameters and statistics. Default False.
        frozen: True: nothing learns. Default False.
        init_cfg: mmengine initialisation, as of the backbone. Default: timm's.
        **kwargs: of ``timm.create_model``.

    Raises:
        ImportError: timm is not installed.
        ValueError: timm has no such network, it has no such level, or it is a transformer.

    Example:
        >>> TimmSharedHead('tf_efficientnet_lite0')(torch.rand(5, 112, 7, 7)).shape
        torch.Size([5, 1280, 4, 4])
    """

    def __init__(
        self,
        model_name: str,
        after: int = 3,
        frozen_norm: bool = False,
        frozen: bool = False,
        init_cfg: dict | None = None,
        **kwargs,
    ) -> None:
        super().__init__(model_name, frozen_norm, init_cfg, **kwargs)
        network, names = self.timm_model, self.level_names
        if hasattr(network, 'num_prefix_tokens'):
            raise ValueError(f'{model_name} has tokens, no maps: not for proposals')
        if not 0 <= after < len(names):
            raise ValueError(f'{model_name} has the levels 0 to {len(names) - 1}, got {after=}')
        _take_out(network, names[after].split('.'))
        if frozen:
            self.frozen = list(network.modules())
        self.freeze()

    def forward(self, x: Tensor) -> Tensor:
        """Maps (R, D, h', w') of pooled maps (R, C, h, w)."""
        return self.timm_model.forward_features(x)


def _take_out(network: nn.Module, path: list[str]) -> None:
    """Put identities in the place of all modules up to the one of this path."""
    for name, child in list(network.named_children()):
        if name == path[0] and len(path) > 1:
            _take_out(child, path[1:])
        else:
            setattr(network, name, nn.Identity())
        if name == path[0]:
            break
