"""Table of every registered component of wsl_plugins: registry, name, what it is, file.

Reads the source files; the components are not imported.

Example:
    python tools/analysis/list_components.py --out docs/components.md
"""

import argparse
import ast
import inspect
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from wsl_plugins.files.writing import atomic_write

ROOT = Path(__file__).parents[2]
HEAD = """# Components

Every class that a config can name as `type='wsl_plugins.NAME'`. Written by
`python tools/analysis/list_components.py --out docs/components.md`.
"""


class Component(NamedTuple):
    """A class with ``@REGISTRY.register_module()``; ``file`` is relative to the repository."""

    registry: str
    name: str
    summary: str
    file: str


def components(root: Path = ROOT) -> list[Component]:
    """All of the package below ``root``, sorted by registry and name.

    Raises:
        ValueError: a registered class has no docstring.
    """
    files = sorted((root / 'wsl_plugins').rglob('*.py'))
    return sorted(component for path in files for component in _of_file(path, root))


def _of_file(path: Path, root: Path) -> Iterator[Component]:
    for node in ast.parse(path.read_text(encoding='utf-8')).body:
        for decorator in getattr(node, 'decorator_list', []):
            found = re.fullmatch(r'([A-Z_]+)\.register_module\(\)', ast.unparse(decorator))
            if found:
                docstring = ast.get_docstring(node)
                if not docstring:
                    raise ValueError(f'{path}: {node.name} has no docstring')
                file = path.relative_to(root).as_posix()
                yield Component(found[1], node.name, first_sentence(docstring), file)


def first_sentence(docstring: str) -> str:
    """First sentence of a docstring as Markdown on one line.

    Example:
        >>> first_sentence('Head of `A <https://a.org>`_; for\\n:class:`B`. More.')
        'Head of [A](https://a.org); for `B`.'
    """
    text = ' '.join(inspect.cleandoc(docstring).split('\n\n')[0].split())
    text = re.sub(r':\w+:`([^`]+)`', r'``\1``', text)
    text = re.sub(r'(?<!`)`([^`<]+) <([^>]+)>`_', r'[\1](\2)', text)
    text = text.replace('``', '`').replace('|', r'\|')
    return re.split(r'(?<=\.) (?=[A-Z])', text, maxsplit=1)[0]


def page(found: list[Component], out: Path, root: Path = ROOT) -> str:
    """The Markdown page; links are relative to the file ``out``."""
    lines = [HEAD]
    for registry in dict.fromkeys(component.registry for component in found):
        lines += [f'## {registry}', '', '| name | what | file |', '| --- | --- | --- |']
        for _, name, summary, file in (c for c in found if c.registry == registry):
            link = os.path.relpath(root / file, out.resolve().parent)
            short = file.removeprefix('wsl_plugins/')
            lines.append(f'| `{name}` | {summary} | [{short}]({link}) |')
        lines.append('')
    return '\n'.join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--out', type=Path, required=True, metavar='FILE.md', help='page to write')
    args = parser.parse_args()
    try:
        found = components()
        text = page(found, args.out)
        with atomic_write(args.out) as file:
            file.write(text.encode())
    except (ValueError, OSError) as error:
        print(f'list_components: error: {error}', file=sys.stderr)
        return 1
    print(f'{len(found)} components in {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
