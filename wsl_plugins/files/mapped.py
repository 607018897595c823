"""Arrays that stay in their file: processes that map the same file share one copy of it."""

import mmap
import os
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from typing import IO, Any

import numpy as np

ROWS = 2**20
"""Of an array, that are looked at together."""
LOCAL_HEADER = 30
"""Bytes before the name of a member of a zip archive; the lengths of name and extra field are the
last four."""


def is_mapped(array: np.ndarray | None) -> bool:
    """Whether an array is the whole of a map, not a part or a copy of one."""
    return isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap)


class Place:
    """Pickles a mapped array as its place in the file, where it is mapped again.

    Args:
        array: See :func:`is_mapped`.

    Raises:
        ValueError: The file has been changed since, when the pickle is read.

    Example:
        >>> import pickle
        >>> np.save('a.npy', np.arange(3))
        >>> pickle.loads(pickle.dumps(Place(np.load('a.npy', mmap_mode='r')))).array
        memmap([0, 1, 2])
    """

    def __init__(self, array: np.memmap) -> None:
        assert array.filename is not None  # it has one, as it is a map
        self.array = array
        self.version = _version(array.filename)

    def __getstate__(self) -> tuple:
        array = self.array
        order = 'C' if array.flags.c_contiguous else 'F'
        return self.version, array.filename, array.dtype, 'r', array.offset, array.shape, order

    def __setstate__(self, state: tuple) -> None:
        self.version, path, *how = state
        if _version(path) != self.version:
            raise ValueError(f'{path} has been changed while it is in use')
        self.array = np.memmap(path, *how)


def _version(path: str | os.PathLike) -> tuple[int, int, int]:
    found = os.stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns


def map_member(
    path: str | os.PathLike,
    info: zipfile.ZipInfo,
    file: IO[bytes],
    shape: tuple[int, ...],
    fortran: bool,
    dtype: np.dtype,
) -> np.memmap:
    """Read-only map of the array in a member of an archive that is stored as it is.

    All of it is read once, since ``zipfile`` compares the checksum at the end.

    Args:
        path: The archive.
        info: The member.
        file: The open member, behind the header of its array.
        shape: Of the header, as the other two.
        fortran: The first index runs fastest.
        dtype: No objects.
    """
    behind = file.tell()
    while file.read(2**20):
        pass
    with open(path, 'rb') as archive:
        archive.seek(info.header_offset + LOCAL_HEADER - 4)
        lengths = np.frombuffer(archive.read(4), '<u2')
    start = info.header_offset + LOCAL_HEADER + int(lengths.sum()) + behind
    return np.memmap(path, dtype, 'r', start, shape, 'F' if fortran else 'C')


def parts(array: np.ndarray, limits: np.ndarray) -> Iterator[np.ndarray]:
    """Rows ``limits[i]`` to ``limits[i + 1]``, as copies; what was read of a map leaves the memory
    of this process.

    Example:
        >>> [part.tolist() for part in parts(np.arange(5), np.array([0, 2, 5]))]
        [[0, 1], [2, 3, 4]]
    """
    for start, end in pairwise(limits.tolist()):
        yield np.array(array[start:end])
        if is_mapped(array) and hasattr(mmap, 'MADV_DONTNEED'):
            base: Any = array.base
            base.madvise(mmap.MADV_DONTNEED)


def even_limits(rows: int) -> np.ndarray:
    """Limits of parts of :data:`ROWS` rows, the last one shorter."""
    return np.append(np.arange(0, rows, ROWS), rows)
