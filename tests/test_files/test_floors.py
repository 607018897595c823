"""Which package may import from which: only from a lower floor, never from beside or above."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / 'wsl_plugins'
FLOORS = [
    ['_mmcv_ext', 'config_names', 'stack', 'structures'],
    ['config_options', 'registry'],
    ['ops'],
    ['files'],
    ['checkpoints', 'models.layers', 'models.losses'],
    ['proposals'],
    ['datasets', 'evaluation', 'pseudo_boxes'],
    ['models'],
    ['apis', 'engine', 'export', 'search', 'visualization'],
]
"""From the ground up, as ``docs/extending.md`` draws them."""
LONG = {'_mmcv_ext.py'}
"""Files of more than 230 lines: the first stands in for a module of as many functions."""
HEIGHT = {name: height for height, names in enumerate(FLOORS) for name in names}


def part_of(module: str) -> str:
    """The part of the house that a module of the package belongs to."""
    names = module.split('.')
    return next(n for n in ('.'.join(names[:2]), names[0]) if n in HEIGHT)


def imports_of(source: str, package: str) -> Iterator[str]:
    """Modules of ours that a source imports, without ``wsl_plugins.``.

    Args:
        source: Code.
        package: The package that it stands in, such as ``wsl_plugins.models``.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = package.split('.')
            base = parents[: len(parents) - node.level + 1] if node.level else []
            module = '.'.join([*base, *([node.module] if node.module else [])])
            found = [f'{module}.{alias.name}' for alias in node.names]
        else:
            continue
        yield from (name[12:] for name in found if name.startswith('wsl_plugins.'))


def complaints(source: str, module: str) -> list[str]:
    """What a module imports and may not."""
    own = part_of(module)
    package = f'wsl_plugins.{module}'.rpartition('.')[0]
    wrong = []
    for name in imports_of(source, package):
        other = '__version__' if name == '__version__' else part_of(name)
        if other not in (own, '__version__') and HEIGHT[other] >= HEIGHT[own]:
            wrong.append(f'{module} (floor {HEIGHT[own]}) imports {name} (floor {HEIGHT[other]})')
    return wrong


def modules() -> Iterator[tuple[str, str]]:
    """Name and source of every module below the package."""
    for path in sorted(PACKAGE.rglob('*.py')):
        name = '.'.join(path.relative_to(PACKAGE).with_suffix('').parts)
        if name not in ('__init__', '__main__'):
            yield name, path.read_text()


def test_imports_go_down():
    found = [complaint for name, source in modules() for complaint in complaints(source, name)]
    assert found == []


@pytest.mark.parametrize(
    ('module', 'source', 'count'),
    [
        ('files.text', 'from wsl_plugins.proposals import ProposalFile', 1),
        ('datasets.wsod_voc', 'def f():\n    import wsl_plugins.evaluation.metrics', 1),
        ('models.layers.adl', 'from ..mil_heads import WSDDNHead', 1),
        ('models.mil_heads.pcl_head', 'from ..layers import ADL', 0),
        ('datasets.wsod_voc', 'from wsl_plugins import files, registry', 0),
    ],
)
def test_what_is_seen(module, source, count):
    assert len(complaints(source, module)) == count


def test_every_file_is_short():
    lines = {path: len(path.read_text().splitlines()) for path in PACKAGE.rglob('*.py')}
    long = {
        str(path.relative_to(PACKAGE)): number for path, number in lines.items() if number > 230
    }
    assert set(long) <= LONG, long
