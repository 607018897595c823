"""Names of images: which are allowed, lists of them, and those of other files."""

import os
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from wsl_plugins.files.text import read_text

SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
"""Of image files, in lower case."""
COLUMN = ('-1', '0', '1')
"""What VOC's list of a class has behind each image."""
T = TypeVar('T', bound=Hashable)


def problem_of_path(path: str) -> str | None:
    """Why ``path`` is no relative path that stays below its folder; None if it is one."""
    if not path.strip():
        return 'the path is empty'
    if path[0] == '/' or '\\' in path or (path[1:2] == ':' and re.match('[A-Za-z]', path)):
        return f'{path!r} is not a relative path with "/"'
    return f'{path!r} leaves its folder' if '..' in path and '..' in path.split('/') else None


def problem_of_text(text: str) -> str | None:
    """Why a name cannot stand in a line of text or in XML; None if it can."""
    return None if text.isprintable() else f'{text!r} holds a character that is not printable'


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
    """Image ids of a text file, one a line; names may have blanks.

    Where every line ends in a column -1, 0 or 1 and the names before it differ, as in VOC's list of
    a class, the column is no part of the name.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no utf-8 text, names no id, or one twice.

    Example:
        >>> read_id_list('ImageSets/Main/car_train.txt')
        ['000012', '000017']
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such list of image ids')
    ids = [line.strip() for line in read_text(path).split('\n') if line.strip()]
    if not ids:
        raise ValueError(f'{path}: names no image id')
    parts = [line.rsplit(maxsplit=1) for line in ids]
    if all(len(part) == 2 and part[1] in COLUMN for part in parts):
        names = [name for name, _ in parts]
        ids = names if len(set(names)) == len(names) or len(set(ids)) < len(ids) else ids
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


def bare(name: str) -> str:
    """A path without ``./`` and without the suffix of an image.

    Example:
        >>> bare('./d0/im_0.jpg'), bare('v1.5')
        ('d0/im_0', 'v1.5')
    """
    path = os.path.normpath(name) if name else name
    stem, suffix = os.path.splitext(path)
    return stem if suffix.lower() in SUFFIXES else path


def names_of(paths: Sequence[str], shown: Sequence[object] | None = None) -> list[str]:
    """Name of each image in our files: the stem where no other image has it, else the path.

    Args:
        paths: Of all images, below one folder, without suffix.
        shown: What errors call them. Default: the paths.

    Raises:
        ValueError: Two paths are the same; the message names both.

    Example:
        >>> names_of(['d0/im_0', 'd1/im_0', 'd1/im_1'])
        ['d0/im_0', 'd1/im_0', 'im_1']
    """
    stems = [path.rpartition('/')[2] for path in paths]
    counts = Counter(stems)
    names = [s if counts[s] == 1 else p for s, p in zip(stems, paths, strict=True)]
    check_once(names, paths if shown is None else shown)
    return names


def check_once(names: Iterable[str | None], shown: Iterable[object]) -> None:
    """Raise ValueError if two of ``shown`` have one name; None is no name.

    Example:
        >>> check_once(['a', 'a'], ['a.jpg', 'a.png'])
        Traceback (most recent call last):
        ValueError: two images have the same name 'a': a.jpg and a.png
    """
    first: dict[str, object] = {}
    for name, image in zip(names, shown, strict=True):
        if name is not None and first.setdefault(name, image) != image:
            raise ValueError(f'two images have the same name {name!r}: {first[name]} and {image}')


class ImageNames:
    """Images of a set, found by what another file calls them.

    A text means the image whose path is the longest end of it: ``'train/d0/a'`` means ``'d0/a'``
    or, where that is none, ``'a'``; but not ``'a'`` if the set has an image ``'d1/a'``, too: then
    ``'a'`` is a whole path. Else it means the only image whose path it is an end of: ``'a'`` means
    ``'d0/a'``.

    Args:
        paths: Of the images, without suffix.
        names: What is to be found, one per path. Default: the paths.
        numbers: Numeric id, as text, to name. Default: none.

    Example:
        >>> images = ImageNames(['d0/a', 'd1/a', 'd1/b'])
        >>> images.find('d1/a'), images.find('photos/d1/a'), images.find('b'), images.find('c')
        ('d1/a', 'd1/a', 'd1/b', None)
    """

    def __init__(
        self,
        paths: Iterable[str],
        names: Iterable[str] | None = None,
        numbers: dict[str, str] | None = None,
    ) -> None:
        paths = list(paths)
        self._names = dict(zip(paths, paths if names is None else names, strict=True))
        self.numbers = numbers or {}
        self._ends: dict[str, list[str]] = {}  # of paths, without their beginning
        self._depth = 1
        for path in paths:
            end = path
            for depth in range(1, path.count('/') + 1):
                end = end.partition('/')[2]
                self._ends.setdefault(end, []).append(path)
                self._depth = max(self._depth, depth + 1)

    @classmethod
    def from_ids(cls, ids: Iterable[str]) -> 'ImageNames':
        """Images of a list of paths without suffix, found also by the number that the digits of a
        stem make.

        A number that several stems make is left out.
        """
        ids = list(ids)
        numbers: dict[str, list[str]] = {}
        for image_id in ids:
            digits = re.sub('[^0-9]', '', image_id.rpartition('/')[2])
            if digits:
                numbers.setdefault(str(int(digits)), []).append(image_id)
        unique = {number: found[0] for number, found in numbers.items() if len(found) == 1}
        return cls(ids, numbers=unique)

    def find(self, text: str, folder: str = '') -> str | None:
        """Name of the image that a text means; None if there is none.

        Args:
            text: Path below some folder, or a part of it, without suffix.
            folder: That folder, where it is known. Default: unknown.

        Raises:
            ValueError: It may be one of several; the message names two.
        """
        parts = text.split('/') if not folder else f'{folder}/{text}'.split('/')
        for start in range(max(0, len(parts) - self._depth), len(parts)):
            end = '/'.join(parts[start:])
            if end in self._names and (end == text or end not in self._ends):
                return self._names[end]
        longer = () if folder else self._ends.get(text, ())
        if len(longer) > 1:
            raise ValueError(f'{text!r} may be image {longer[0]!r} or {longer[1]!r}')
        return self._names[longer[0]] if longer else None
