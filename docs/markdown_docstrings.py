"""Griffe extension: the reStructuredText in docstrings (roles, links, tables) becomes Markdown."""

import re

from griffe import Extension, Object

ROLE = re.compile(r':\w+:`[.~]?([^`]+)`')
LINK = re.compile(r'(?<!`)`([^`<]+) <([^>]+)>`_')
EXAMPLE = re.compile(r'^Example:$', re.MULTILINE)  # griffe knows the plural


class MarkdownDocstrings(Extension):
    """Rewrites each docstring before it is parsed."""

    def on_object(self, *, obj: Object, **kwargs: object) -> None:
        """Rewrite the docstring of a module, class, function or attribute."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(docstring: str) -> str:
    """A docstring whose roles are code, whose links are links, whose tables are Markdown's.

    Example:
        >>> as_markdown('As :func:`.ops.install` of `A <https://a.org>`_.')
        'As `ops.install` of [A](https://a.org).'
    """
    text = LINK.sub(r'[\1](\2)', ROLE.sub(r'`\1`', docstring))
    text = EXAMPLE.sub('Examples:', text)
    parts = re.split(r'^( *=+(?: +=+)+)$', text, flags=re.MULTILINE)
    result = [parts[0]]
    for border, head, _, body, _, behind in zip(*(parts[i::6] for i in range(1, 7)), strict=True):
        result += [_table(border, head, body), behind]
    return ''.join(result)


def _table(border: str, head: str, body: str) -> str:
    starts = [match.start() for match in re.finditer('=+', border)]
    ends = [*starts[1:], None]
    rows: list[list[str]] = []
    for line in [*head.strip('\n').splitlines(), *body.strip('\n').splitlines()]:
        cells = [line[a:b].strip().replace('|', r'\|') for a, b in zip(starts, ends, strict=True)]
        if cells[0] or not rows:
            rows.append(cells)
        else:  # goes on with the row above
            rows[-1] = [
                f'{above} {cell}'.strip() for above, cell in zip(rows[-1], cells, strict=True)
            ]
    rows.insert(1, ['---'] * len(starts))
    indent = ' ' * starts[0]
    return '\n'.join(f'{indent}| {" | ".join(row)} |' for row in rows)
