"""Files: written whole or not at all; lists of image ids."""

import os
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

from wsl_plugins.reading import read_text

T = TypeVar('T', bound=Hashable)


@contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` and rename it to ``path`` once all is written.

    Missing parent folders are made. On an error nothing is left behind.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        with open(temporary, 'wb') as file:
            yield file
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_id_list(path: str | os.PathLike) -> list[str]:
    """Image ids of a text file: the first word of every line that is not empty (VOC style).

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no utf-8 text, names no id, or one twice.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such list of image ids')
    ids = [line.split()[0] for line in read_text(path).splitlines() if line.strip()]
    if not ids:
        raise ValueError(f'{path}: names no image id')
    twice = first_repeated(ids)
    if twice is not None:
        raise ValueError(f'{path}: names image {twice!r} twice')
    return ids


def first_repeated(items: Iterable[T]) -> T | None:
    """The first item that was there before; None if there is none.

    Example:
        >>> first_repeated(['a', 'b', 'b', 'a'])
        'b'
    """
    seen: set[T] = set()
    for item in items:
        if item in seen:
            return item
        seen.add(item)
    return None
