"""Arrays of numpy's own formats, without pickled objects.

numpy allocates what a header claims before it looks for the data; here the claim is compared with
the bytes that are there first.
"""

import math
import os
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from wsl_plugins.files.limits import ARRAYS, check_bytes, checked_file
from wsl_plugins.files.mapped import map_member

MAPPED = 16 * 2**20
"""Bytes from which on an array is mapped rather than read, where it can be."""

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_BAD = (
    ValueError,
    TypeError,
    KeyError,
    EOFError,
    OSError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
    RecursionError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_npy(path: str | os.PathLike) -> np.ndarray:
    """The array of an ``.npy`` file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such file, is damaged, holds pickled objects or more than 16 GiB.
    """
    path = checked_file(path, ARRAYS)
    size = path.stat().st_size
    try:
        with open(path, 'rb') as file:
            _header(file, size)
            return _array(file)
    except _BAD as error:
        raise ValueError(f'{path}: not an array in .npy format: {error}') from error


def read_npz(
    path: str | os.PathLike,
    needed: Sequence[str] = (),
    optional: Sequence[str] = (),
    mapped: Sequence[str] = (),
) -> dict[str, np.ndarray]:
    """Arrays of an ``.npz`` file by name; nothing else in the file is unpacked.

    Args:
        path: The file.
        needed: Names of arrays that must be there.
        optional: Names of arrays that may be there.
        mapped: Names of arrays of numbers that stay in the file, as read-only ``np.memmap``, if
            they are stored without compression and have 16 MiB or more.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such file, is damaged, lacks an array, holds pickled objects or, in
            these arrays, more than 16 GiB.

    Example:
        >>> np.savez('a.npz', boxes=np.zeros((2, 4)))
        >>> read_npz('a.npz', ['boxes'])['boxes'].shape
        (2, 4)
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file')
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix('.npy'): info for info in archive.infolist()}
            missing = [name for name in needed if name not in members]
            if missing:
                raise ValueError(f'lacks {missing}, has {sorted(members)[:20]}')
            wanted = [name for name in (*needed, *optional) if name in members]
            check_bytes('it', sum(members[name].file_size for name in wanted), ARRAYS)
            found: dict[str, np.ndarray] = {}
            for name in wanted:
                info = members[name]
                stays = name in mapped and info.compress_type == zipfile.ZIP_STORED
                with archive.open(info) as file:
                    header = _header(file, info.file_size)
                    if stays and info.file_size >= MAPPED and header[2].kind in 'uif':
                        found[name] = map_member(path, info, file, *header)
                    else:
                        found[name] = _array(file)
            return found
    except _BAD as error:
        raise ValueError(f'{path}: cannot be read as an .npz archive: {error}') from error


def names_in_npz(path: str | os.PathLike) -> set[str]:
    """Names of the arrays of an ``.npz`` file; none if it is no such file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix('.npy') for name in archive.namelist()}
    except _BAD:
        return set()


def _header(file: IO[bytes], size: int) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether the first index runs fastest, and type of the array in ``size`` bytes."""
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f'version {version} of the format is not known')
    shape, fortran, dtype = _HEADERS[version](file)
    left = size - file.tell()
    claimed = math.prod(shape) * max(dtype.itemsize, 1)
    if not 0 <= claimed <= left:
        raise ValueError(f'{shape} of {dtype} are {claimed} bytes, there are {left}')
    return shape, fortran, dtype


def _array(file: IO[bytes]) -> np.ndarray:
    """The array of a file whose header was looked at."""
    file.seek(0)
    return check_text(np.lib.format.read_array(file, allow_pickle=False))


def check_text(array: np.ndarray) -> np.ndarray:
    """The array, if its texts have no number that is no letter: numpy fails at them later."""
    if array.dtype.kind == 'U' and array.size:
        letters = np.frombuffer(array.tobytes(), np.dtype('u4').newbyteorder(array.dtype.byteorder))
        if letters.max(initial=0) > sys.maxunicode:
            raise ValueError('a text with something that is no letter')
    return array
