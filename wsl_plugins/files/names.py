"""Names of images: which are allowed, lists of them, and those of other projects."""

import os
import re
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import TypeVar

from wsl_plugins.files.text import read_text, short

SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
"""Of image files, in lower case."""
T = TypeVar('T', bound=Hashable)


def problem_of_path(path: str) -> str | None:
    """Why ``path`` is no relative path that stays below its folder; None if it is one."""
    if not path.strip():
        return 'the path is empty'
    if path[0] == '/' or '\\' in path or (path[1:2] == ':' and re.match('[A-Za-z]', path)):
        return f'{path!r} is not a relative path with "/"'
    return f'{path!r} leaves its folder' if '..' in path and '..' in path.split('/') else None


def image_id_of(path: str, data_root: str | None) -> str:
    """Path of an image below ``data_root`` or, without one, its file name.

    Raises:
        ValueError: The image does not lie in ``data_root``.
    """
    if data_root is None:
        return Path(path).name
    relative = os.path.relpath(path, data_root)
    if relative.startswith('..'):
        raise ValueError(f'image {path} does not lie in {data_root}')
    return Path(relative).as_posix()


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


def is_utf8(name: str) -> bool:
    """Whether a file name can be written to a utf-8 file; the bytes of some cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


class ImageNames:
    """Finds the file stem for an image id of any kind.

    Args:
        stems: Raw id, as text, to file stem. Default: none known, then only ids that are texts are
            understood, and taken as file names.
        source: The file of the table, if an id that it lacks is an error. Default: none.

    Example:
        >>> names = ImageNames.from_ids(['000012', '2008_000002'])
        >>> names.stem_of(12), names.stem_of(2008000002), names.stem_of('000012.jpg')
        ('000012', '2008_000002', '000012')
    """

    def __init__(self, stems: dict[str, str] | None = None, source: str | None = None) -> None:
        self._stems = stems
        self._source = source

    @classmethod
    def from_ids(cls, ids: Iterable[str]) -> 'ImageNames':
        """Table of file stems, found by the stem itself or by the number its digits make.

        Ids that are not in it keep their own text: the list may name a part of the images. A number
        that several stems make is left out.
        """
        ids = list(ids)
        numbers: dict[str, list[str]] = {}
        for stem in ids:
            digits = ''.join(c for c in stem if c in '0123456789')
            if digits:
                numbers.setdefault(str(int(digits)), []).append(stem)
        unique = {number: stems[0] for number, stems in numbers.items() if len(stems) == 1}
        return cls({**unique, **{stem: stem for stem in ids}})

    def stem_of(self, raw: object) -> str:
        """File stem for a raw id.

        Raises:
            ValueError: The id is a number and no table is there, or a COCO table lacks it.
        """
        text = str(raw)
        if Path(text).suffix.lower() in SUFFIXES:
            text = Path(text).stem
        if self._stems is None and not isinstance(raw, str):
            raise ValueError(
                f'image id {short(raw)} is a number, not a file name: give the annotation file '
                '(--ann) or the list of ids (--ids-file) that tells the file names'
            )
        stems = self._stems or {}
        if text not in stems and self._source is not None:
            raise ValueError(f'image id {short(raw)} is not in {self._source}')
        return stems.get(text, text)
