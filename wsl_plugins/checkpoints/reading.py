"""Checkpoints from a path or an address, read without running what they contain."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.runner.checkpoint import get_external_models, get_torchvision_models
from torch import Tensor

from wsl_plugins.checkpoints.fit import MisfitError
from wsl_plugins.checkpoints.packaged import (
    PACKAGED,
    imagenet_classes,
    packaged_file,
    packaged_weights,
)
from wsl_plugins.checkpoints.safe_load import load_torch
from wsl_plugins.files import load_pickle

STATE = ('state_dict', 'model', 'blobs')  # mmengine and the WSOL benchmark, wetectron, Detectron


@dataclass(frozen=True)
class Checkpoint:
    """The weights of a file, and the other entries beside them.

    Args:
        weights: tensors by name; a prefix ``module.`` is taken off.
        others: optimiser state, number of steps, ... by name; without ``meta``.
        meta: the entry ``meta`` of mmengine's checkpoints. Default: empty.
    """

    weights: dict[str, Tensor]
    others: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)


def fetch(source: str) -> Path:
    """Local file of a path or an address.

    Args:
        source: a path, ``https://...``, a name of mmengine's lists: ``torchvision://resnet50``,
            ``open-mmlab://vgg16_caffe``, or 'efficientnet-lite0', 'efficientnet-lite1',
            'efficientnet-lite2': of an installed package. Addresses are downloaded once, to
            torch's cache; eight or more digits of the SHA-256 in the file's name
            (``-397923af.pth``) are compared.

    Raises:
        FileNotFoundError: There is no such file, or its package is not installed.
        ValueError: mmengine's list has no such name, or the address is of another kind.
        RuntimeError: The SHA-256 differs.
        OSError: The address does not answer.

    Example:
        >>> fetch('torchvision://vgg16')  # doctest: +SKIP
        PosixPath('/home/me/.cache/torch/hub/checkpoints/vgg16-397923af.pth')
    """
    if source in PACKAGED:
        return packaged_file(source)
    scheme, mark, name = source.partition('://')
    if not mark:
        if not Path(source).expanduser().is_file():
            raise FileNotFoundError(f'{source}: no such file of weights')
        return Path(source).expanduser()
    address = source
    lists = {'torchvision': get_torchvision_models, 'open-mmlab': get_external_models}
    if scheme in lists:
        addresses = lists[scheme]()
        if name not in addresses:
            raise ValueError(f'{source}: mmengine knows no such name')
        address = addresses[name]
    elif scheme not in ('http', 'https'):
        raise ValueError(f'{source}: addresses start with http, https, {", ".join(lists)}')
    file_name = Path(urlparse(address).path).name
    if not file_name:
        raise ValueError(f'{source}: names no file')
    path = Path(torch.hub.get_dir(), 'checkpoints', file_name)
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        digits = torch.hub.HASH_REGEX.search(file_name)
        try:
            torch.hub.download_url_to_file(
                address, str(path), digits and digits[1], progress=sys.stderr.isatty()
            )
        except OSError as error:
            why = error if isinstance(error, HTTPError) else getattr(error, 'reason', error)
            raise OSError(
                f'{source}: not downloaded ({why}); without a network, '
                f'fetch {address} elsewhere and put it at {path}, or give another file (--weights '
                'FILE of a tool, checkpoint=FILE of a config) or what a package brings: '
                f'{", ".join(PACKAGED)}'
            ) from error
    return path


def _load(path: Path) -> Any:
    if path.suffix == '.pkl':
        return load_pickle(path)
    if path.suffix == '.safetensors':
        if not find_spec('safetensors'):
            raise ValueError(f'{path}: needs the library safetensors (pip install safetensors)')
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except SafetensorError as error:
            raise ValueError(f'{path}: no weights: {error}') from error
    return load_torch(path)


def read_checkpoint(path: str | os.PathLike) -> Checkpoint:
    """Read a checkpoint of torch, a pickle of numpy arrays (Detectron) or a safetensors file.

    Nothing in the file is run, and training state that is no weights is left out.

    The weights are the file's entry ``state_dict``, ``model`` or ``blobs``, else the whole file.

    Args:
        path: ends in ``.pkl``, ``.safetensors`` or, for torch, in anything else; or a name of
            :func:`wsl_plugins.checkpoints.packaged.packaged_weights`: a localizer with ImageNet's
            1,000 classes and their names.

    Raises:
        FileNotFoundError: There is no such file, or its package is not installed.
        ValueError: It is damaged, holds no weights, or asks for code.

    Example:
        >>> torch.save(dict(model={'module.fc.weight': torch.zeros(2, 3)}, iteration=5), 'a.pth')
        >>> read_checkpoint('a.pth')
        Checkpoint(weights={'fc.weight': tensor([[0., 0., 0.],
                [0., 0., 0.]])}, others={'iteration': 5}, meta={})
    """
    if str(path) in PACKAGED:
        return _localizer(str(path))
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file of weights')
    return weights_in(_load(path), path)


def _localizer(name: str) -> Checkpoint:
    """The network of a package as backbone and head of a localizer."""
    weights = {
        ('head.' if key.startswith('fc.') else 'backbone.') + key: value
        for key, value in packaged_weights(name).items()
    }
    return Checkpoint(weights, meta=dict(dataset_meta=dict(classes=imagenet_classes())))


def weights_in(content: Any, path: str | os.PathLike) -> Checkpoint:
    """The weights in the content of a file, see :func:`read_checkpoint`.

    Args:
        content: what the file holds.
        path: the file, for messages.

    Raises:
        MisfitError: It holds no weights.
    """
    if not isinstance(content, Mapping):
        raise MisfitError(f'{path}: no weights: holds a {type(content).__name__}, not a dict')
    others: dict[str, Any] = {}
    for name in STATE:
        if isinstance(content.get(name), Mapping):
            others = {key: value for key, value in content.items() if key != name}
            content = content[name]
            break
    weights: dict[str, Tensor] = {}
    for key, value in content.items():
        if isinstance(value, np.ndarray) and value.dtype.kind in 'biuf':
            value = torch.from_numpy(value.copy())
        (weights if torch.is_tensor(value) else others)[str(key)] = value
    if not weights:
        raise MisfitError(
            f'{path}: no weights: no tensor in it, nor in an entry {" or ".join(STATE)}'
        )
    weights = {key.removeprefix('module.'): value for key, value in weights.items()}
    meta = others.pop('meta', None)
    return Checkpoint(weights, others, dict(meta) if isinstance(meta, Mapping) else {})
