"""Pickles of plain containers and numpy arrays, read without running what they contain.

Three things that the standard unpickler trusts are not trusted here: the functions that a pickle
calls, the sizes that it claims, and the inner state of numpy's objects (a wrong one makes numpy
read or write memory that is not its own).
"""

import math
import mmap
import os
import pickle
import pickletools
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO, SupportsIndex, cast

import numpy as np

from wsl_plugins.files.arrays import check_text
from wsl_plugins.files.limits import ARRAYS, checked_file

DAMAGED = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ImportError,
    OverflowError,
    MemoryError,
    RecursionError,
    RuntimeError,
    AssertionError,
    LookupError,
)
"""What a damaged pickle may end in."""


class Fields:
    """Stands in for mmengine's ``InstanceData``: only its attributes are taken."""


class _Dtype:
    """Stands in for ``numpy.dtype``: of its state only the order of bytes is taken."""

    def __init__(self, code: str, align: bool = False, copy: bool = True) -> None:
        if not isinstance(code, str) or not re.fullmatch(r'[biufcSUO][0-9]{0,6}', code):
            raise pickle.UnpicklingError(f'refused: an array of type {code!r:.40}')
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        if state[1] in ('<', '>'):
            self.dtype = self.dtype.newbyteorder(state[1])


class _ArrayType:
    """Stands in for the class ``numpy.ndarray``, which pickles name and never call."""


class Array(np.ndarray):
    """An array that looks at its state before it takes it."""

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, content = state
        shape, dtype = tuple(map(int, shape)), kind.dtype
        count = math.prod(shape)
        if isinstance(content, str):  # of Python 2
            content = content.encode('latin1')
        items = len(content) if dtype.hasobject else len(content) // max(dtype.itemsize, 1)
        if isinstance(content, list) != dtype.hasobject or min(shape, default=0) < 0:
            raise ValueError(f'a damaged array of shape {shape}')
        if items != count or (not dtype.hasobject and len(content) != count * dtype.itemsize):
            raise ValueError(f'an array of shape {shape} with {items} elements')
        checked: Any = (1, shape, dtype, bool(fortran), content)
        super().__setstate__(checked)
        check_text(self)

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple:
        return np.asarray(self).__reduce_ex__(protocol)  # pickled again, it is a plain array


def _reconstruct(kind: type, shape: tuple, code: bytes) -> Array:
    """An empty array, whatever size is claimed; its state follows."""
    return Array((0,), np.uint8)


def _scalar(kind: _Dtype, content: bytes | str) -> np.generic:
    if isinstance(content, str):
        content = content.encode('latin1')
    if kind.dtype.hasobject or len(content) != kind.dtype.itemsize:
        raise ValueError(f'a number of type {kind.dtype} with {len(content)} bytes')
    return check_text(np.frombuffer(content, kind.dtype, 1))[0]


def _frombuffer(content: bytes, kind: _Dtype, shape: tuple, order: Any) -> np.ndarray:
    return check_text(np.frombuffer(content, kind.dtype)).reshape(shape, order=order)


def _encode(text: str, encoding: str = 'latin1') -> bytes:
    """Bytes as protocols up to 2 write them."""
    if encoding not in ('latin1', 'latin-1', 'iso-8859-1'):
        raise pickle.UnpicklingError(f'refused: text in {encoding!r:.40}')
    return text.encode('latin1')


def _empty_bytes() -> bytes:
    return b''


KNOWN: dict[tuple[str, str], Callable] = {
    ('numpy', 'ndarray'): _ArrayType,
    ('numpy', 'dtype'): _Dtype,
    **{
        (f'numpy.{core}.{module}', name): function
        for core in ('core', '_core')  # numpy 1 and 2
        for module, name, function in (
            ('multiarray', '_reconstruct', _reconstruct),
            ('multiarray', 'scalar', _scalar),
            ('numeric', '_frombuffer', _frombuffer),
        )
    },
    ('builtins', 'list'): list,
    ('builtins', 'set'): set,
    ('__builtin__', 'set'): set,
    ('builtins', 'bytes'): _empty_bytes,
    ('__builtin__', 'bytes'): _empty_bytes,
    ('collections', 'OrderedDict'): OrderedDict,
    ('_codecs', 'encode'): _encode,
    ('mmengine.structures.instance_data', 'InstanceData'): Fields,
    ('mmengine.structures', 'InstanceData'): Fields,
}
"""What is called in the place of (module, name)."""


class Unpickler(pickle.Unpickler):
    """Reads plain containers and arrays only; see :func:`load_pickle`."""

    allowed = 'numpy arrays, plain containers and InstanceData of numpy arrays'
    more: dict[tuple[str, str], Callable] = {}

    def find_class(self, module: str, name: str) -> Any:
        """What stands in for the object that the pickle asks for."""
        known = {**KNOWN, **self.more}
        if (module, name) in known:
            return known[module, name]
        raise pickle.UnpicklingError(
            f'refused: it asks for {module}.{name}; only {self.allowed} are read'
        )


def load_pickle(path: str | os.PathLike, unpickler: type[Unpickler] = Unpickler) -> Any:
    """Read a pickle of plain containers and numpy arrays; files of Python 2 work too.

    Args:
        path: The file.
        unpickler: What else may be in it. Default: nothing.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no pickle, is damaged, is larger than 16 GiB (see :mod:`.limits`),
            claims more than it has, or asks for anything else (a pickle can run any command when it
            is read with the standard loader); the message names what.

    Example:
        >>> data = load_pickle('MCG-coco_2014_train-boxes.pkl')
        >>> sorted(data)
        ['boxes', 'indexes', 'scores']
    """
    path = checked_file(path, ARRAYS)
    size = path.stat().st_size
    try:
        with open(path, 'rb') as file:
            _check_claims(file, size)
            file.seek(0)
            return unpickler(file, encoding='latin1').load()
    except DAMAGED as error:
        raise ValueError(f'{path}: not read: {error}') from error


def _check_claims(file: BinaryIO, size: int) -> None:
    """Refuse sizes beyond the end of the file: they would be allocated first."""
    if not size:
        raise EOFError('the file is empty')
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        operations: Iterable[tuple[Any, Any, Any]] = pickletools.genops(cast(BinaryIO, content))
        for opcode, argument, position in operations:
            if opcode.name in _PLACES and not 0 <= argument <= position:
                raise ValueError(f'place {argument} at byte {position}')
            if opcode.name == 'FRAME' and argument > size - position:
                raise ValueError(f'a frame of {argument} bytes at byte {position} of {size}')


_PLACES = ('PUT', 'BINPUT', 'LONG_BINPUT')
