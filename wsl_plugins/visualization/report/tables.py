"""Tables of the report, and those per class that metrics print into the log."""

import re
from collections.abc import Sequence
from typing import NamedTuple

_EVALUATION = re.compile(r'(?:Epoch|Iter)\((val|test)\)(?: +\[(\d+)\]\[)?')


class Table(NamedTuple):
    """A table of texts.

    Attributes:
        title (str): What stands above it.
        head (list[str]): Names of the columns.
        rows (list[list[str]]): Rows that a click on a column's name sorts.
        foot (list[list[str]]): Rows that stay below, such as means.
        bars (list[list[float]]): Shares in percent, drawn at the end of each row, those of
            ``foot`` last; empty for none.
    """

    title: str
    head: list[str]
    rows: list[list[str]]
    foot: Sequence[list[str]] = ()
    bars: Sequence[list[float]] = ()


def class_tables(log: str, name: str, notes: list[str]) -> list[Table]:
    """Tables whose first column is the class, of mmdet's metrics and ours, in a log's order.

    Args:
        log (str): Text of the log.
        name (str): What to call it in ``notes``.
        notes (list[str]): Tables that cannot be read are appended to it.

    Example:
        >>> class_tables('''+-------+--------+
        ... | class | CorLoc |
        ... +-------+--------+
        ... | cat   | 50.0   |
        ... +-------+--------+''', 'a.log', [])
        [Table(title='', head=['class', 'CorLoc'], rows=[['cat', '50.0']], foot=[], bars=())]
    """
    tables, untitled = [], 0
    groups: list[list[list[str]]] = []
    for line in [*log.splitlines(), '']:
        if line.startswith('+-'):
            groups.append([])
        elif groups and line.startswith('|'):
            groups[-1].append([cell.strip() for cell in line[1:].rstrip().rstrip('|').split('|')])
        else:
            if len(groups) > 1 and groups[0] and groups[0][0][0] in ('class', 'category'):
                head, rows = groups[0][0], groups[1]
                foot = [row for group in groups[2:] for row in group]
                if all(len(row) == len(head) for row in rows + foot):
                    tables.append(Table('', head, rows, foot))
                else:
                    notes.append(f'{name}: a table per class has rows of different lengths')
            groups = []
        found = _EVALUATION.search(line)
        if found and untitled < len(tables):
            title = dict(val='validation', test='test run')[found[1]]
            title += f' after epoch {found[2]}' if found[2] else ''
            tables[untitled:] = [table._replace(title=title) for table in tables[untitled:]]
            untitled = len(tables)
    return tables


def number(value: float) -> str:
    """A metric or loss with four significant digits, whole numbers as they are.

    Example:
        >>> number(0.680306), number(12), number(9.3111), number(1.5e-05)
        ('0.6803', '12', '9.311', '1.5e-05')
    """
    return str(value) if isinstance(value, int) else f'{value:.4g}'
