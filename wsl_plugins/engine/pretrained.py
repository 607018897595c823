"""Weights that parts of a model start from (``init_cfg=dict(type='Pretrained', ...)``)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from mmengine.model import is_model_wrapper
from torch import nn

from wsl_plugins.checkpoints import MisfitError, fetch, load_fitting, load_torch
from wsl_plugins.checkpoints.packaged import PACKAGED, packaged_weights

SCHEMES = ('http', 'https', 'torchvision', 'open-mmlab')


def check_pretrained(model: nn.Module) -> list[str]:
    """Whether something of each file fits the part of the model that names it.

    mmengine takes what fits, and goes on from random weights where nothing does. What fits is
    loaded here; ``init_weights`` does so again.

    Args:
        model (nn.Module): Built, its weights not yet initialised.

    Returns:
        list[str]: For each part its name, the file, and what the part lacks in it, as text.

    Raises:
        FileNotFoundError: There is no such file, or its package is not installed.
        MisfitError: Nothing in a file fits: the message names it, the prefix and the part.

    Example:
        >>> layer = nn.Linear(2, 3)
        >>> torch.save(dict(weight=torch.zeros(3, 2)), 'layer.pth')
        >>> layer.init_cfg = dict(type='Pretrained', checkpoint='layer.pth')
        >>> check_pretrained(layer)
        ['the model from layer.pth in part (of 2 needed weights: 1 missing weight: bias)']
    """
    told = []
    model = model.get_submodule('module') if is_model_wrapper(model) else model
    for name, module, cfg in _parts(model):
        content = _content(cfg['checkpoint'])
        if not isinstance(content, dict):
            told.append(f'{name or "the model"} from {cfg["checkpoint"]}')
            continue  # mmengine reads it, or says why not
        prefix = cfg.get('prefix')
        start = f'{prefix.rstrip(".")}.' if prefix else ''
        weights = {
            key.removeprefix('module.').removeprefix(start): value
            for key, value in content.get('state_dict', content).items()
            if torch.is_tensor(value) and key.removeprefix('module.').startswith(start)
        }
        fit = load_fitting(module, weights)
        if fit.nothing:
            which = f'init_cfg of {name or "the model"} ({type(module).__name__})'
            below = f' below the prefix {prefix!r}' if prefix else ''
            raise MisfitError(f'{cfg["checkpoint"]}: {which} finds nothing{below}: {fit}')
        lacks = '' if fit.complete else f' in part ({replace(fit, unexpected=[])})'
        told.append(f'{name or "the model"} from {cfg["checkpoint"]}{lacks}')
    return told


def _parts(model: nn.Module) -> Iterator[tuple[str, nn.Module, dict]]:
    """Name, module and ``init_cfg`` of each part that starts from a file."""
    for name, module in model.named_modules():
        found = getattr(module, 'init_cfg', None)
        for cfg in found if isinstance(found, (list, tuple)) else [found]:
            if isinstance(cfg, dict) and cfg.get('type') == 'Pretrained' and cfg.get('checkpoint'):
                yield name, module, cfg


def _content(source: str) -> Any:
    """What the file holds; None for what only mmengine can fetch."""
    if source in PACKAGED:
        return packaged_weights(source)
    scheme, mark, _ = source.partition('://')
    return None if mark and scheme not in SCHEMES else load_torch(fetch(source))
