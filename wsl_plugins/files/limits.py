"""How much is read from one file."""

import os
from pathlib import Path

GIB = 2**30
TEXT = 2 * GIB
"""Bytes of a text, JSON, XML or pickle file; objects of Python take up to 20 times as much."""
ARRAYS = 16 * GIB
"""Bytes of the arrays in a file, unpacked."""
VARIABLE = 'WSL_PLUGINS_MAX_READ_GIB'


def check_bytes(name: str | os.PathLike, size: int, limit: int = TEXT) -> None:
    """Raise ValueError if ``size`` bytes are more than may be read from one file.

    Args:
        name: What the error calls the file.
        size: Bytes that the file has, or claims to unpack to.
        limit: Allowed bytes; the environment variable ``WSL_PLUGINS_MAX_READ_GIB`` takes its place.
            Default: :data:`TEXT`.

    Raises:
        ValueError: They are too many, or the variable is no number.

    Example:
        >>> check_bytes('a.json', 3 * 2**30)
        Traceback (most recent call last):
        ValueError: a.json: holds 3 GiB, at most 2 GiB are read; ...
    """
    text = os.environ.get(VARIABLE)
    if text is not None:
        try:
            limit = int(float(text) * GIB)
        except (ValueError, OverflowError) as error:
            raise ValueError(f'{VARIABLE} must be a number of GiB, got {text!r}') from error
    if size > limit:
        raise ValueError(
            f'{name}: holds {size / GIB:.3g} GiB, at most {limit / GIB:.3g} GiB are read; if you '
            f'trust the file, set {VARIABLE}'
        )


def checked_file(path: str | os.PathLike, limit: int = TEXT) -> Path:
    """The path of a file that is there and not too large (:func:`check_bytes`).

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is larger than ``limit`` bytes.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file')
    check_bytes(path, path.stat().st_size, limit)
    return path
