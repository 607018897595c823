"""CSV files of boxes that other projects made.

``image,x0,y0,x1,y1`` and, if there, ``,score``: in this order without a heading, in any order below
one, whose names are told apart in small and capital letters alike.
"""

import math
import os
from typing import Any, NamedTuple

from wsl_plugins.files.problems import raise_problems
from wsl_plugins.files.tables import (
    IMAGE_NAMES,
    SEPARATORS,
    Row,
    find_column,
    is_image_column,
    number,
    plain,
    quoted,
    read_table,
    surplus,
)

CORNERS = (
    ('x0', 'y0', 'x1', 'y1'),
    ('xmin', 'ymin', 'xmax', 'ymax'),
    ('x1', 'y1', 'x2', 'y2'),
    ('left', 'top', 'right', 'bottom'),
)
"""Headings of x0, y0, x1, y1 as :func:`plain` gives them; the first that are there count."""


class BoxTable(NamedTuple):
    """``rows``: (image id, xyxy, score or NaN) of each box; ``how``: what was found out about the
    file, in one line."""

    rows: list[tuple[str, list[float], float]]
    how: str


def read_box_csv(path: str | os.PathLike) -> BoxTable:
    """Boxes of a CSV file in one of the forms above.

    Args:
        path (str | PathLike): The file: utf-8, columns separated by ``,`` ``;`` tab or ``|``
            (:func:`wsl_plugins.files.tables.read_table`); with another sign than ``,`` numbers may
            have a decimal comma.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The heading names no corners, or a row is wrong.

    Example:
        >>> read_box_csv('boxes.csv').rows
        [('owl_1.jpg', [3.0, 4.0, 50.5, 60.0], nan)]
    """
    table = read_table(path, lambda cells: is_image_column(*cells) or _is_box(cells))
    rows, columns, unread = table.rows, None, []
    if rows and is_image_column(*rows[0].cells) and not _is_box(rows[0].cells):
        (line, heading), *rows = rows
        columns = _columns(heading, f'{path}:{line}')
        unread = [name for n, name in enumerate(heading) if name and n not in columns]
        wrong = [(row.line, surplus(row, len(heading), table.separator)) for row in rows]
        raise_problems(path, [f'line {line}: {trouble}' for line, trouble in wrong if trouble])
    boxes = [_box(row, columns, table.separator, f'{path}:{row.line}') for row in rows]
    how = f'columns separated by {SEPARATORS.get(table.separator, table.separator)}'
    if table.separator != ',' and any(',' in cell for row in rows for cell in row.cells[1:]):
        how += ', decimal commas'
    return BoxTable(boxes, how + (f'; not read: {quoted(unread)}' if unread else ''))


def is_box_heading(cells: list[str]) -> bool:
    """Whether the words are ``image x0 y0 x1 y1``, in one of the usual spellings.

    Example:
        >>> is_box_heading(['image_id', 'xmin', 'ymin', 'xmax', 'ymax'])
        True
    """
    return is_image_column(cells[0]) and tuple(map(plain, cells[1:])) in CORNERS


def _is_box(cells: list[str]) -> bool:
    """Whether the cells may be a row without heading."""
    try:
        return len(cells) in (5, 6) and all(number(cell, ';') is not None for cell in cells[1:5])
    except ValueError:
        return False


def _columns(heading: list[str], where: str) -> list[int]:
    """Numbers of the columns of image, x0, y0, x1, y1 and, if there, score."""
    names = [plain(name) for name in heading]
    corners = next((group for group in CORNERS if set(group) <= set(names)), None)
    if corners is None:
        raise ValueError(
            f'{where}: no columns of corners, such as x0, y0, x1, y1 or xmin, ymin, xmax, ymax: '
            f'got {quoted(heading)}'
        )
    columns: list[Any] = [find_column(heading, IMAGE_NAMES, where)]
    columns += [find_column(heading, ((name,),), where) for name in corners]
    score = find_column(heading, (('score',), ('confidence',)), where)
    return columns if score is None else [*columns, score]


def _box(row: Row, columns: list[int] | None, separator: str, where: str) -> tuple:
    cells = row.cells
    if columns is not None:
        cells = [cells[n] if n < len(cells) else '' for n in columns]
    elif len(cells) not in (5, 6):
        raise ValueError(f'{where}: 5 or 6 fields are needed, got {len(cells)}')
    values = [number(cell, separator, where) for cell in cells[1:]]
    return cells[0], values[:4], values[4] if len(values) > 4 else math.nan
