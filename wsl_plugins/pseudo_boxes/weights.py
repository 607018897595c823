"""Weights of a network from a checkpoint of torchvision, mmpretrain or mmengine."""

import hashlib
import os
import pickle
from collections.abc import Collection
from pathlib import Path

import torch
from torch import Tensor, nn

SKIPPED = (  # the training history and best scores in mmengine's checkpoints, which are not read
    'builtins.getattr',
    'mmengine.logging.history_buffer.HistoryBuffer',
    'numpy.dtype',
    'numpy.ndarray',
    'numpy._core.multiarray._reconstruct',
    'numpy._core.multiarray.scalar',
    'numpy.core.multiarray._reconstruct',
    'numpy.core.multiarray.scalar',
)


class _Skipped:
    """Stands in for objects of a checkpoint that are no weights."""

    def __init__(self, *args: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def file_sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def read_state_dict(path: str | os.PathLike) -> dict[str, Tensor]:
    """Weights of a file, without running what it contains.

    The file is a state dict or a dict with one as ``state_dict``; a common prefix ``module.`` is
    taken off.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds no state dict, or asks for code.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file of weights')
    try:
        with torch.serialization.safe_globals([(_Skipped, name) for name in SKIPPED]):
            content = torch.load(path, map_location='cpu', weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = _reason(error)
        raise ValueError(f'{path}: no weights: {reason}') from error
    state = content.get('state_dict', content) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not state or not all(map(torch.is_tensor, state.values())):
        raise ValueError(f'{path}: no weights: neither a state dict nor a dict with "state_dict"')
    if all(key.startswith('module.') for key in state):
        state = {key.removeprefix('module.'): value for key, value in state.items()}
    return state


def _reason(error: Exception) -> str:
    """The one line that tells what is wrong, of the many of an unpickler."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return next((line.strip() for line in lines if 'WeightsUnpickler error' in line), lines[-1])


def load_weights(model: nn.Module, path: str | os.PathLike, needed: Collection[str]) -> None:
    """Load the weights of a file into a model.

    The keys of the file are those of the model, or those of its ``backbone`` alone. Weights of
    other parts may be missing, or left over.

    Args:
        model (nn.Module): The model.
        path (str | PathLike): See :func:`read_state_dict`.
        needed (Collection[str]): Keys that must be there (but for counters of batches).

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file holds no weights, needed ones are missing, or a shape differs.
    """
    state = read_state_dict(path)
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
