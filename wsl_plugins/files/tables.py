"""Text tables (CSV): which sign separates their columns, and what their cells hold."""

import csv
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from wsl_plugins.files.text import read_text, short

SEPARATORS = {',': '","', ';': '";"', '\t': 'tab', '|': '"|"'}
"""Signs that may separate columns, and how messages call them."""
IMAGE_NAMES = (
    ('image',),
    ('file', 'fname', 'filename', 'filepath', 'path', 'img')
    + tuple(a + b for a in ('image', 'img') for b in ('file', 'filename', 'id', 'name', 'path')),
    ('id', 'name'),
)
"""Headings of the column of images as :func:`plain` gives them; the first that is there counts."""
_DECLARED = re.compile(r'"?sep=([^"\n])"?[,;\t| ]*(?:\n|$)', re.IGNORECASE)


class Row(NamedTuple):
    """A line: its number in the file, from 1, and its cells without blanks around them."""

    line: int
    cells: list[str]


class Table(NamedTuple):
    """Lines that are not empty, the heading (if there is one) among them."""

    separator: str
    rows: list[Row]


def read_table(path: str | os.PathLike, fits: Callable[[list[str]], bool]) -> Table:
    """Lines of a text table whose separator is found out: ``,`` ``;`` tab or ``|``.

    The first line decides: the separator is the sign that makes cells of it that ``fits``. A line
    ``sep=;`` above it, as spreadsheets write, names the sign. Cells may be quoted; lines without
    anything in their cells are passed over.

    Args:
        path (str | PathLike): The file, utf-8 with or without byte order mark.
        fits (Callable): Whether the cells of the first line may be right.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no utf-8 text, a quote does not end, or several signs are possible.

    Example:
        >>> read_table('labels.csv', lambda cells: 'image' in cells).separator
        ';'
    """
    text = read_text(path)
    declared = _DECLARED.match(text)
    sign = declared[1] if declared else _find_separator(text, fits, path)
    try:
        rows = list(_rows(text, sign))
    except csv.Error as error:
        raise ValueError(f'{path}: not a CSV file: {error} (does a quote not end?)') from error
    return Table(sign, rows[1:] if declared else rows)


def _find_separator(text: str, fits: Callable[[list[str]], bool], path: str | os.PathLike) -> str:
    first: dict[str, list[str]] = {}
    for sign in SEPARATORS:
        with suppress(csv.Error):  # a quote that ends before another sign
            first[sign] = next(_rows(text, sign), Row(0, [])).cells
    good = [sign for sign, cells in first.items() if fits(cells)]
    good = good or [sign for sign, cells in first.items() if len(cells) > 1] or [',']
    if len(good) > 1:
        raise ValueError(
            f'{path}: the columns may be separated by '
            f'{" or by ".join(SEPARATORS[sign] for sign in good)}: name the sign in a line above '
            'the first, such as "sep=;"'
        )
    return good[0]


def _rows(text: str, separator: str) -> Iterator[Row]:
    reader = csv.reader(
        io.StringIO(text), delimiter=separator, skipinitialspace=separator != ' ', strict=True
    )
    for cells in reader:
        cells = [cell.strip() for cell in cells]
        if any(cells):
            yield Row(reader.line_num, cells)


def plain(name: str) -> str:
    """A heading in small letters without blanks and signs: 'Image ID' and 'image_id' are one.

    Example:
        >>> plain(' Image_ID')
        'imageid'
    """
    return re.sub(r'[\W_]', '', name.casefold())


def is_image_column(*names: str) -> bool:
    """Whether one of the names is a usual heading of the column of images.

    Example:
        >>> is_image_column('Label', 'Image_ID')
        True
    """
    return any(plain(name) in group for name in names for group in IMAGE_NAMES)


def find_column(
    heading: list[str],
    known: tuple[tuple[str, ...], ...],
    where: str,
    given: str | None = None,
    option: str | None = None,
) -> int | None:
    """Number of the column that is asked for, or that has one of the known headings.

    Args:
        heading (list[str]): Headings.
        known (tuple): Groups of headings as :func:`plain` gives them; the first group counts of
            which one is there.
        where (str): File and line, for errors.
        given (str, optional): The heading that the user names. Default: none.
        option (str, optional): The option that names it, for errors. Default: there is none.

    Returns:
        int: None if there is none.

    Raises:
        ValueError: ``given`` is not there, or several columns are possible.
    """
    if given is not None:
        found = [number for number, name in enumerate(heading) if name == given]
        if not found:
            raise ValueError(f'{where}: no column {given!r} ({option}), got {quoted(heading)}')
    else:
        names = [plain(name) for name in heading]
        groups = ([n for n, name in enumerate(names) if name in group] for group in known)
        found = next(filter(None, groups), [])
    if len(found) > 1:
        remedy = f'{option} tells which' if option and given is None else 'rename one'
        meant = quoted(heading[number] for number in found)
        raise ValueError(f'{where}: several columns may be meant: {meant}; {remedy}')
    return found[0] if found else None


def quoted(names: Iterable[str]) -> str:
    """Names in quotes and in one line, the first ten of them.

    Example:
        >>> quoted(['image', 'label'])
        '"image", "label"'
    """
    names = [' '.join(name.split()) for name in names]
    more = f', ... ({len(names)})' if len(names) > 10 else ''
    return ', '.join(f'"{name}"' for name in names[:10]) + more


def surplus(row: Row, width: int, separator: str) -> str | None:
    """What is wrong with a row of more cells than columns; None if nothing is in these cells."""
    more = [cell for cell in row.cells[width:] if cell]
    sign = SEPARATORS.get(separator, separator)
    text = f'more cells than columns: {short(more)}; a cell with {sign} in it needs quotes'
    return text if more else None


def number(cell: str, separator: str, where: str = '') -> float:
    """The number of a cell; where a comma separates no columns it may be the decimal sign.

    Args:
        cell (str): The cell.
        separator (str): What separates columns.
        where (str): File and line, for errors. Default: unknown.

    Raises:
        ValueError: It is no number.

    Example:
        >>> number('0,5', ';')
        0.5
    """
    point = separator != ',' and cell.count(',') == 1 and '.' not in cell
    try:
        return float(cell.replace(',', '.') if point else cell)
    except ValueError as error:
        raise ValueError(f'{where}: a number is needed, got {short(cell)}') from error
