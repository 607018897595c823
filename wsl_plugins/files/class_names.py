"""Names of classes: files of them, and which can be told apart."""

import os
from collections.abc import Iterable

from wsl_plugins.files.names import first_repeated
from wsl_plugins.files.text import read_text


def read_class_names(path: str | os.PathLike) -> list[str]:
    """Names of classes, one a line, by number, without blanks around them.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no utf-8 text, has an empty line before its end, or one name twice.
    """
    names = [line.strip() for line in read_text(path).rstrip().split('\n')]
    if '' in names:
        raise ValueError(f'{path}:{names.index("") + 1}: a class without a name')
    twice = first_repeated(names)
    if twice is not None:
        raise ValueError(f'{path}: two classes are called {twice!r}')
    return names


def equal_but_for_case(names: Iterable[str]) -> list[str]:
    """A problem for every two names of classes that only small and capital letters tell apart.

    Example:
        >>> equal_but_for_case(['Owl', 'emu', 'owl'])
        ["classes 'Owl' and 'owl' differ in small and capital letters alone: call them alike"]
    """
    spellings: dict[str, list[str]] = {}
    for name in names:
        spellings.setdefault(name.casefold(), []).append(name)
    return [
        f'classes {found[0]!r} and {found[1]!r} differ in small and capital letters alone: call '
        'them alike'
        for found in spellings.values()
        if len(found) > 1
    ]
