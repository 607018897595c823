"""MATLAB files, level 5 ("-v6", "-v7"), looked through before they are read.

scipy allocates the sizes that a file claims, unpacks whatever is packed in it, and ends in a
segmentation fault where the type of an element is unknown.
"""

import math
import os
import struct
import zlib
from collections.abc import Collection
from pathlib import Path

from wsl_plugins.files.limits import ARRAYS, check_bytes

COMPRESSED, MATRIX = 15, 14
CELL, CHAR, NUMBERS = 1, 4, range(6, 16)
COMPLEX = 0x800
BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}
"""Of a number of each type of elements."""
DEPTH = 8


def check_mat(path: str | os.PathLike, names: Collection[str]) -> None:
    """Raise ValueError unless variables are cells and arrays no larger than the file says.

    Args:
        path: The file, of level 5.
        names: The variables to look at; others are passed over, and are not to be read.

    Raises:
        ValueError: The file is damaged, is of another level, or claims more than it has; it unpacks
            to more than 16 GiB (see :mod:`.limits`); or a variable holds something else than cells,
            numbers and texts.
    """
    path, unpacked = Path(path), 0
    with open(path, 'rb') as file:
        header = file.read(128)
        order = {b'IM': '<', b'MI': '>'}.get(header[126:128])
        if order is None:
            raise ValueError(f'{path}: not a MATLAB file of level 5')
        if struct.unpack(f'{order}H', header[124:126])[0] >> 8 != 1:
            raise ValueError(f'{path}: a MATLAB 7.3 (HDF5) file; save it again in MATLAB with -v7')
        try:
            while tag := file.read(8):
                kind, size = struct.unpack(f'{order}II', tag)
                if size > path.stat().st_size - file.tell():
                    raise ValueError(f'ends within a variable of {size} bytes')
                content = file.read(size)
                if kind == COMPRESSED:
                    content = _unpack(content, path, unpacked)
                    kind, size = struct.unpack(f'{order}II', content[:8])
                    content = content[8:]
                unpacked += len(content)
                if kind != MATRIX:
                    raise ValueError(f'an element of type {kind} between the variables')
                _check_matrix(memoryview(content), order, names, 0)
        except (struct.error, zlib.error, OverflowError, ValueError) as error:
            raise ValueError(f'{path}: not a MATLAB file: {error}') from error


def _unpack(content: bytes, path: Path, before: int) -> bytes:
    """Unpacked content, in steps, so that the limit holds."""
    stream, parts, size = zlib.decompressobj(), [], before
    while content and not stream.eof:
        parts.append(stream.decompress(content, 2**24))
        size += len(parts[-1])
        check_bytes('it', size, ARRAYS)
        if not parts[-1] and content == stream.unconsumed_tail:
            break
        content = stream.unconsumed_tail
    return b''.join(parts)


def _element(content: memoryview, order: str) -> tuple[int, memoryview, memoryview]:
    """Type and content of the first element, and what follows it."""
    kind, size = struct.unpack_from(f'{order}II', content)
    if kind >> 16:  # up to four bytes stand in the tag
        return kind & 0xFFFF, content[4 : 4 + (kind >> 16)], content[8:]
    end = 8 + size
    if end > len(content):
        raise ValueError(f'an element of {size} bytes, {len(content) - 8} are there')
    return kind, content[8:end], content[end if kind == MATRIX else end + -size % 8 :]


def _typed(content: memoryview, order: str, wanted: int) -> tuple[memoryview, memoryview]:
    """Content of the first element, which must be of a type, and what follows it."""
    kind, data, content = _element(content, order)
    if kind != wanted:
        raise ValueError(f'an element of type {kind} in the place of type {wanted}')
    return data, content


def _check_matrix(
    content: memoryview, order: str, names: Collection[str] | None, deep: int
) -> None:
    if not content and deep:
        return  # an empty cell
    flags, content = _typed(content, order, 6)
    flags = struct.unpack(f'{order}II', flags)[0]
    sizes, content = _typed(content, order, 5)
    name, content = _typed(content, order, 1)
    if names is not None and bytes(name).decode('latin1') not in names:
        return
    kind = flags & 0xFF
    if kind not in (CELL, CHAR, *NUMBERS) or flags & COMPLEX:
        raise ValueError(f'needs cells, real numbers and texts, has an array of class {kind}')
    sizes = struct.unpack(f'{order}{len(sizes) // 4}i', sizes)
    count = math.prod(sizes)
    if len(sizes) < 2 or min(sizes) < 0 or count > len(content):
        raise ValueError(f'an array of size {sizes} in {len(content)} bytes')
    if kind != CELL:
        if content or count:
            element, data, _ = _element(content, order)
            if element not in BYTES or (kind != CHAR and len(data) != count * BYTES[element]):
                raise ValueError(f'{count} elements of type {element} in {len(data)} bytes')
        return
    if deep == DEPTH:
        raise ValueError(f'more than {DEPTH} cells in each other')
    for _ in range(count):
        cell, content = _typed(content, order, MATRIX)
        _check_matrix(cell, order, None, deep + 1)
