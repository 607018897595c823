"""Weights of a network from a checkpoint of torchvision, mmpretrain or mmengine."""

import hashlib
import os
from collections.abc import Collection

from torch import nn

from wsl_plugins.checkpoints import MisfitError, load_fitting, read_checkpoint


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
        ValueError: The file holds no weights.
        MisfitError: Needed weights are missing, or their shape differs.
    """
    state = read_checkpoint(path).weights
    own = model.state_dict()
    prefixed = {f'backbone.{key}': value for key, value in state.items()}
    if len(own.keys() & prefixed.keys()) > len(own.keys() & state.keys()):
        state = prefixed
    fit = load_fitting(model, state, needed)
    if not fit.complete:
        raise MisfitError(f'{path}: not of this model: {fit}')
