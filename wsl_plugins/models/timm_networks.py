"""What backbones and shared heads of timm's networks have in common."""

from importlib.util import find_spec
from typing import Any

from mmengine.model import BaseModule
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from wsl_plugins.checkpoints import packaged  # noqa: F401  (mmengine learns its names)


class TimmPart(BaseModule):
    """A network of timm without its classifier, under the names of mmpretrain's ``TIMMBackbone``.

    Args:
        model_name: of timm.
        frozen_norm: see :class:`wsl_plugins.models.backbones.TimmBackbone`, as the others.
        init_cfg: mmengine initialisation.
        **kwargs: of ``timm.create_model``.
    """

    def __init__(self, model_name: str, frozen_norm: bool, init_cfg: dict | None, **kwargs) -> None:
        super().__init__(init_cfg)
        if not find_spec('timm'):
            raise ImportError(f'{model_name}: needs timm: pip install wsl_plugins[weights]')
        import timm

        if not timm.is_model(model_name):
            raise ValueError(f'timm {timm.__version__} has no network {model_name!r}')
        self.timm_model: Any = timm.create_model(  # the methods of its networks have no type
            model_name, num_classes=0, global_pool='', **kwargs
        )
        self.frozen_norm = frozen_norm
        self.frozen: list[nn.Module] = []

    @property
    def level_names(self) -> list[str]:
        """Name of the module that ends each level of features."""
        return [info['module'] for info in self.timm_model.feature_info]

    def freeze(self) -> None:
        """Fix what does not learn; called once, when nothing is added any more.

        The number of classes of the classifier that is not there (0) goes as well: to mmdet's
        ``NumClassCheckHook`` each module that has one is a head of the detector.
        """
        for module in self.timm_model.modules():
            vars(module).pop('num_classes', None)
        if self.frozen_norm:
            norms = [m for m in self.timm_model.modules() if isinstance(m, _BatchNorm)]
            self.frozen = [*self.frozen, *norms]
        for module in self.frozen:
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)

    def train(self, mode: bool = True) -> 'TimmPart':
        """As always; what is frozen stays in evaluation mode."""
        super().train(mode)
        for module in self.frozen:
            module.training = False
        return self


def modules_until(network: nn.Module, name: str) -> list[nn.Module]:
    """Modules in the order of their registration, up to the one of this name and all in it.

    Example:
        >>> stages = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU()), nn.Linear(3, 2))
        >>> len(modules_until(stages, '1'))  # the network itself, the first, the second, its ReLU
        4
    """
    found, reached = [], False
    for path, module in network.named_modules():
        inside = path == name or path.startswith(f'{name}.')
        if reached and not inside:
            break
        reached = reached or inside
        found.append(module)
    return found
