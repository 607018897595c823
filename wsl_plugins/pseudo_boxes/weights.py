"""Weights of a network from a checkpoint of torchvision, mmpretrain or mmengine."""

import hashlib
import os
from collections.abc import Collection

from torch import nn

from wsl_plugins.checkpoints import read_checkpoint


def file_sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def load_weights(model: nn.Module, path: str | os.PathLike, needed: Collection[str]) -> None:
    """Load the weights of a file into a model.

    The keys of the file are those of the model, or those of its ``backbone`` alone. Weights of
    other parts may be missing, or left over.

    Args:
        model (nn.Module): The model.
        path (str | PathLike): See :func:`wsl_plugins.checkpoints.read_checkpoint`.
        needed (Collection[str]): Keys that must be there (but for counters of batches).

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file holds no weights, needed ones are missing, or a shape differs.
    """
    state = read_checkpoint(path).weights
    own = model.state_dict()
    prefixed = {f'backbone.{key}': value for key, value in state.items()}
    if len(own.keys() & prefixed.keys()) > len(own.keys() & state.keys()):
        state = prefixed
    needed = [key for key in needed if not key.endswith('num_batches_tracked')]
    missing = [key for key in needed if key not in state]
    if missing:
        raise ValueError(
            f'{path}: {len(missing)} of {len(needed)} needed weights are missing, the first: '
            f'{missing[0]} (the file starts with {next(iter(state))})'
        )
    for key in needed:
        if own[key].shape != state[key].shape:
            raise ValueError(
                f'{path}: {key} has shape {tuple(state[key].shape)}, the model needs '
                f'{tuple(own[key].shape)}'
            )
    used = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    model.load_state_dict(used, strict=False)
