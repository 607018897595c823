"""What cached features are of: network, weights, pixels and proposals."""

import hashlib
import os
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from wsl_plugins.datasets.feature_cache import flat
from wsl_plugins.files.jobs import check_same_job

NOT_COMPARED = ('init_cfg', 'frozen_stages', 'with_cp')
"""Settings of layers on which their output does not depend; weights are compared by themselves."""


def network_of(model: dict, layers: Iterable[str]) -> dict[str, Any]:
    """Settings of layers and of what comes before them, from the ``model`` of a config.

    Args:
        model: the config.
        layers: dotted names (:class:`wsl_plugins.models.roi_heads.constant_layers.RoIFeatures`).
    """
    found = dict(data_preprocessor=_plain(model.get('data_preprocessor')))
    for layer in layers:
        part: Any = model
        for key in layer.split('.'):
            part = part[int(key)] if isinstance(part, (list, tuple)) else part[key]
        found[layer] = _plain(part)
    return found


def weights_of(model: nn.Module, layers: Iterable[str]) -> dict[str, str]:
    """SHA-256 of the weights of each layer that has some."""
    found = {}
    for layer in layers:
        digest, some = hashlib.sha256(), False
        for name, value in model.get_submodule(layer).state_dict().items():
            if not name.endswith('num_batches_tracked'):
                some = True
                value = value.detach().cpu().contiguous()
                digest.update(f'{name} {value.dtype} {tuple(value.shape)}\n'.encode())
                digest.update(value.flatten().view(torch.uint8).numpy())
        if some:
            found[layer] = digest.hexdigest()
    return found


def check_job(what: str | os.PathLike, asked: dict, found: dict, remedy: str) -> None:
    """Whether two jobs are equal, in the settings of ``asked``.

    Args:
        what: of which ``found`` is, for messages.
        asked: nested dict of settings.
        found: the same of what is there.
        remedy: end of the message.

    Raises:
        ValueError: settings differ; each is named, with both values.
    """
    asked, found = flat(asked), flat({key: found.get(key) for key in asked})
    every = {**dict.fromkeys(found), **asked}
    check_same_job(what, every, found, remedy)


def _plain(value: Any) -> Any:
    """Settings for JSON: types by their plain names."""
    if isinstance(value, dict):
        found = {str(k): _plain(v) for k, v in value.items() if k not in NOT_COMPARED}
        if 'type' in found:
            found['type'] = found['type'].rpartition('.')[2]
        return found
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, type):
        return value.__name__
    return value if isinstance(value, (bool, int, float, str, type(None))) else repr(value)
