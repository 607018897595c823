"""Checkpoints that mmengine loads, without code."""

import os
import warnings
from typing import Any

import torch
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.runner import CheckpointLoader

from wsl_plugins.checkpoints.safe_load import load_torch, restricts_nothing
from wsl_plugins.files.pickles import KNOWN, Array

ONLY_WEIGHTS = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
ALLOW_CODE = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'


def refuse_code() -> None:
    """From now on, no checkpoint can run code in this process.

    mmengine reads a checkpoint a second time without restriction if the safe way fails, and one
    from an address always. Here every ``torch.load`` gets ``weights_only=True`` (torch's variable
    ``TORCH_FORCE_WEIGHTS_ONLY_LOAD``); what mmengine saves of a training stays readable. Whoever
    trusts a file sets torch's variable ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1``: then nothing
    changes. With torch before 2.6 this holds for local files; for addresses it cannot, and warns.

    Example:
        >>> refuse_code()
        >>> # load_from, resume and init_cfg are safe
        >>> Runner.from_cfg(cfg).train()  # doctest: +SKIP
    """
    if os.environ.get(ALLOW_CODE, '0') not in ('0', ''):
        return
    CheckpointLoader.register_scheme('', load_from_local, force=True)
    if restricts_nothing():
        warnings.warn(
            f'torch {torch.__version__} reads checkpoints from an address (https://...) without '
            'restriction: load only those that you trust, or use torch 2.6 or newer',
            stacklevel=2,
        )
        return
    os.environ[ONLY_WEIGHTS] = '1'
    torch.serialization.add_safe_globals(TRAINING)


def load_from_local(filename: str, map_location: Any = None) -> Any:
    """mmengine's loader of local files, but for its second attempt."""
    return load_torch(os.path.expanduser(filename), TRAINING, map_location)


def _method(owner: type[HistoryBuffer], name: str) -> Any:
    """In the place of ``getattr``, which pickles of methods name."""
    if owner is not HistoryBuffer:
        raise ValueError(f'refused: {name!r:.40} of {owner!r:.40}')
    return getattr(owner, name)


TRAINING = [
    HistoryBuffer,
    (_method, 'builtins.getattr'),
    (Array, 'numpy.ndarray of a checkpoint'),
    *[(known, f'{module}.{name}') for (module, name), known in KNOWN.items() if 'numpy' in module],
]
"""What a checkpoint of a training holds beside weights."""
