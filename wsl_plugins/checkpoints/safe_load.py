"""torch's files, read without running what they contain."""

import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.utils import digit_version

from wsl_plugins.checkpoints.old_torch import load_restricted
from wsl_plugins.files.limits import ARRAYS, check_bytes
from wsl_plugins.files.pickles import DAMAGED

TRAINING_STATE = (  # the history and best scores in mmengine's checkpoints
    'builtins.getattr',
    'mmengine.logging.history_buffer.HistoryBuffer',
    'numpy.dtype',
    'numpy.ndarray',
    'numpy._core.multiarray._reconstruct',
    'numpy._core.multiarray.scalar',
    'numpy.core.multiarray._reconstruct',
    'numpy.core.multiarray.scalar',
)


class CheckpointError(ValueError):
    """A file of weights that is damaged, or asks for code."""


class _Skipped:
    """Stands in for objects of a checkpoint that are no weights."""

    def __init__(self, *args: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


SKIPPED: list[Callable | tuple[Callable, str]] = [(_Skipped, name) for name in TRAINING_STATE]


def load_torch(
    path: str | os.PathLike,
    known: list[Callable | tuple[Callable, str]] = SKIPPED,
    map_location: Any = 'cpu',
) -> Any:
    """Content of a file of ``torch.save``: tensors, plain containers, numbers and texts.

    Args:
        path: The file.
        known: What else may be in it, as ``torch.serialization.safe_globals`` takes it. Default:
            the training state of mmengine, of which only its place is kept.
        map_location: See ``torch.load``. Default: 'cpu'.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: It is damaged, unpacks to more than 16 GiB (see
            :mod:`wsl_plugins.files.limits`), or asks for code.

    Example:
        >>> load_torch('epoch_12.pth').keys()
        dict_keys(['meta', 'state_dict', 'message_hub'])
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file of weights')
    try:
        _check_archive(path)
        if restricts_nothing():
            return load_restricted(path, {_name(one): _object(one) for one in known}, map_location)
        with _allowed(known):
            return torch.load(path, map_location=map_location, weights_only=True)
    except (*DAMAGED, OSError, struct.error, zipfile.BadZipFile) as error:
        raise CheckpointError(f'{path}: no weights: {reason_of(error)}') from error


def restricts_nothing() -> bool:
    """Whether this torch cannot be told, by name, what a file may hold: the ones before 2.6."""
    return digit_version(torch.__version__) < digit_version('2.6')


@contextmanager
def _allowed(known: list[Callable | tuple[Callable, str]]) -> Iterator[None]:
    """Allow names in torch's files. Where one is allowed for the whole process as something else
    (:func:`wsl_plugins.checkpoints.refuse_code`), torch would take either."""
    before = torch.serialization.get_safe_globals()
    names = {_name(one) for one in known}
    torch.serialization.clear_safe_globals()
    others = [one for one in before if _name(one) not in names]
    torch.serialization.add_safe_globals([*others, *known])
    try:
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)


def _name(one: Callable | tuple[Callable, str]) -> str:
    return one[1] if isinstance(one, tuple) else f'{one.__module__}.{one.__qualname__}'


def _object(one: Callable | tuple[Callable, str]) -> Callable:
    return one[0] if isinstance(one, tuple) else one


def _check_archive(path: Path) -> None:
    """Refuse programs, and archives that unpack to much more than they are: torch never compresses
    weights."""
    check_bytes('it', path.stat().st_size, ARRAYS)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith('/constants.pkl') for name in archive.namelist()):
                raise ValueError('it holds a program (TorchScript)')
            for info in archive.infolist():
                if info.file_size > info.compress_size:
                    raise ValueError(f'{info.filename} in it is compressed')


def reason_of(error: Exception) -> str:
    """The one line that tells what is wrong, of the many of an unpickler."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    lines = [line.strip() for line in lines if not line.startswith('Check the documentation')]
    wanted = [line for line in lines if 'GLOBAL' in line or 'WeightsUnpickler error' in line]
    return (wanted or lines)[-1]
