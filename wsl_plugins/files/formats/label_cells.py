"""Cells of image labels: one label or several, and 0 or 1."""

from collections import Counter
from collections.abc import Iterable
from typing import NoReturn

from wsl_plugins.files.tables import number
from wsl_plugins.files.text import short

SIGNS = (';', '|', ',')
"""What may separate labels in a cell."""
ONE = 'none'
"""Value of the option for cells that are one label each."""
BRACKETS = ('[]', '()', '{}')
OPTION = '--label-separator'


def find_label_separator(cells: Iterable[str], given: str | None, where: str) -> str | None:
    """What separates labels in cells; None if each is one label.

    ``;`` and ``|`` separate wherever they stand. Names of classes may hold a comma: it separates if
    all parts of such cells stand in other cells too. Blanks are never taken for separators.

    Args:
        cells (Iterable[str]): All cells of labels.
        given (str, optional): What the user says: a sign, or 'none' if each cell is one label.
            None: found out.
        where (str): The file, for errors.

    Raises:
        ValueError: Several readings are possible, or a cell is a list in brackets.

    Example:
        >>> find_label_separator(['owl,emu', 'emu', 'owl'], None, 'labels.csv')
        ','
    """
    if given is not None:
        if not given:
            raise ValueError(f'{OPTION} must be a sign or "{ONE}", got an empty text')
        return None if given == ONE else given
    cells = set(cells) - {''}
    for cell in sorted(cells):
        if cell[0] + cell[-1] in BRACKETS and len(cell) > 1:
            raise ValueError(
                f'{where}: label {short(cell)} is a list in brackets: write a;b, or give {OPTION} '
                f'{ONE} if it is the name of a class'
            )
    found = {sign: next((c for c in sorted(cells) if sign in c), None) for sign in (*SIGNS, ' ')}
    signs = [sign for sign in SIGNS if found[sign]]
    if len(signs) > 1:
        _ask(where, ' and '.join(dict.fromkeys(repr(found[sign]) for sign in signs)), signs)
    if signs == [','] and not _all_shared(cells, ','):
        _ask(where, repr(found[',']), signs)
    if not signs and found[' '] and _all_shared(cells, ' '):
        _ask(where, repr(found[' ']), [' '])
    return signs[0] if signs else None


def _ask(where: str, example: str, signs: list[str]) -> NoReturn:
    choice = ' or '.join(f'{OPTION} "{sign}"' for sign in signs)
    raise ValueError(
        f'{where}: labels such as {example} may be one or several: give {choice} if several, '
        f'{OPTION} {ONE} if one'
    )


def _all_shared(cells: set[str], sign: str) -> bool:
    """Whether every part of the cells with this sign stands in another cell too."""
    parts = {cell: set(split_cell(cell, sign)) for cell in cells}
    places = Counter(part for own in parts.values() for part in own)
    return all(places[part] > 1 for cell, own in parts.items() if sign in cell for part in own)


def split_cell(cell: str, separator: str | None) -> list[str]:
    """Labels of a cell, without blanks around them; an empty text where one is missing.

    Example:
        >>> split_cell('owl; emu', ';')
        ['owl', 'emu']
    """
    if separator is None:
        return [cell]
    return [name.strip() for name in cell.split(separator if separator.strip() else None)] or ['']


def bit_of(cell: str, separator: str) -> bool | None:
    """0 and false, 1 and true of a cell (also 1.0); None for anything else.

    Args:
        cell (str): The cell.
        separator (str): What separates columns (see :func:`wsl_plugins.files.tables.number`).

    Example:
        >>> [bit_of(cell, ',') for cell in ('1', '0.0', 'TRUE', '2')]
        [True, False, True, None]
    """
    words = {'true': 1.0, 'false': 0.0}
    try:
        value = words.get(cell.lower())
        value = number(cell, separator) if value is None else value
    except ValueError:
        return None
    return bool(value) if value in (0, 1) else None
