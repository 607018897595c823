"""Files of a folder."""

import os
from pathlib import Path
from typing import NoReturn

HIDDEN = 'hidden files, or files in hidden folders'
"""What messages call them."""


def files_below(folder: str | os.PathLike) -> tuple[list[Path], list[Path]]:
    """Files in a folder and its subfolders, and those of them that are hidden, both sorted.

    A file is hidden if its name, or that of a subfolder it lies in, starts with a dot. Links to
    folders are followed; a folder that is met again is left out.

    Raises:
        OSError: A folder cannot be read.

    Example:
        >>> files_below('photos')
        ([PosixPath('photos/d0/a.jpg')], [PosixPath('photos/d0/.ipynb_checkpoints/a.jpg')])
    """
    shown: list[Path] = []
    hidden: list[Path] = []
    seen = set()
    for parent, folders, names in os.walk(os.fspath(folder), onerror=_stop, followlinks=True):
        place = os.stat(parent)
        if (place.st_dev, place.st_ino) in seen:
            folders.clear()
            continue
        seen.add((place.st_dev, place.st_ino))
        folders.sort()
        below = os.path.relpath(parent, folder)
        inside_hidden = below != '.' and any(part[0] == '.' for part in below.split(os.sep))
        for name in names:
            (hidden if inside_hidden or name[0] == '.' else shown).append(Path(parent, name))
    return sorted(shown), sorted(hidden)


def _stop(error: OSError) -> NoReturn:
    raise error
