"""What holds for every registered component and every public function of the package."""

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mmengine.registry import Registry

import wsl_plugins
from wsl_plugins import registry

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope='module')
def registered() -> dict[str, type]:
    pytest.importorskip('mmpretrain')  # localizers need it
    found = {}
    for one in vars(registry).values():
        if isinstance(one, Registry):
            one.import_from_location()
            found |= one.module_dict
    return {name: c for name, c in found.items() if c.__module__.startswith('wsl_plugins.')}


def unnamed(names: dict, paths: list[Path]) -> list[str]:
    """Names that no file has as a word."""
    words = {word for path in paths for word in re.findall(r'\w+', path.read_text('utf-8'))}
    return [name for name in names if name not in words]


def test_docstrings_have_an_example(registered):
    assert len(registered) > 60
    assert [n for n, c in registered.items() if 'Example:\n' not in (c.__doc__ or '')] == []


def test_docstrings_name_every_argument(registered):
    lacking = {}
    for name, component in registered.items():
        definer = next(c for c in component.__mro__ if '__init__' in vars(c))
        if not definer.__module__.startswith('wsl_plugins.'):
            continue  # of the host, which documents its arguments
        documented = ' '.join(c.__doc__ or '' for c in own_classes(component))
        arguments = inspect.signature(component.__init__).parameters.values()
        own = [p.name for p in arguments if p.kind is p.POSITIONAL_OR_KEYWORD][1:]
        missing = [a for a in own if not re.search(rf'\b{a}\b', documented)]
        if missing:
            lacking[name] = missing
    assert lacking == {}


PAPER = re.compile(
    r'arxiv\.org|\b(ACM MM|BMVC|CVPR|ECCV|ICCV|ICLR|ICML|IJCV|NIPS|NeurIPS|TPAMI) (19|20)\d\d'
)
# of no paper: what carries data and steps
PLUMBING = {
    'AlternatingDDP',
    'BFloat16OptimWrapper',
    'BestBoxesHook',
    'CachedRoIFeatures',
    'CheckLossHook',
    'LoadWSODProposals',
    'MissedValidationHook',
    'NormalizedAvgPool',
    'PackWSODInputs',
    'PackWSOLInputs',
    'PlayerOptimWrapperConstructor',
    'ResumedScheduleHook',
    'SeedByEpochHook',
    'StartingPointHook',
    'TransformWithProposals',
}


def test_docstrings_name_the_paper(registered):
    lacking = {name for name, c in registered.items() if not PAPER.search(documents(c))}
    assert lacking == PLUMBING


SHAPE = re.compile(r'\(h, w\)|\(([A-Z0-9]\w*( ?[+*-] ?\d+)?|\.\.\.), ?[^)]*\)|\.Size\(')
# neither a tensor in nor out: they call what has shapes
WITHOUT_TENSORS = {
    'AlternatingDDP',
    'AlternatingFastRCNN',
    'AuxiliaryHead',
    'BFloat16OptimWrapper',
    'CheckLossHook',
    'MissedValidationHook',
    'PlayerOptimWrapperConstructor',
    'ResumedScheduleHook',
    'SeedByEpochHook',
    'SequentialBatchHook',
    'StartingPointHook',
}


def test_docstrings_give_shapes(registered):
    lacking = {name for name, c in registered.items() if not SHAPE.search(documents(c, True))}
    assert lacking == WITHOUT_TENSORS


def documents(component: type, methods: bool = False) -> str:
    """Docstrings of a class, its bases here and their modules, and of the methods, in one line."""
    texts = []
    for one in own_classes(component):
        texts += [one.__doc__, sys.modules[one.__module__].__doc__]
        if methods:
            texts += [f.__doc__ for f in vars(one).values() if inspect.isfunction(f)]
    return ' '.join(' '.join(filter(None, texts)).split())


def own_classes(component: type) -> list[type]:
    """The class and its bases in this package: a docstring may refer to that of its base."""
    return [c for c in component.__mro__ if c.__module__.startswith('wsl_plugins.')]


def test_each_is_tested(registered):
    general = {'test_contracts.py', 'test_docs.py'}
    files = [path for path in (ROOT / 'tests').rglob('*.py') if path.name not in general]
    assert unnamed(registered, files) == []


# what tools put into a config (wsol_search.py, test.py --out and --dump-score-maps, train.py),
# and hooks for those who want them (docs/faq.md, docs/cached_features.md)
BY_TOOLS = {
    'BestBoxesHook',
    'BoxAcc',
    'DumpPredictions',
    'DumpScoreMaps',
    'MissedValidationHook',
    'ResumedScheduleHook',
    'SeedByEpochHook',
    'StartingPointHook',
}


def test_each_is_in_a_config(registered):
    """All configs are built and trained a step by the tests of their methods."""
    files = [path for folder in ('configs', 'projects') for path in (ROOT / folder).rglob('*.py')]
    assert set(unnamed(registered, files)) == BY_TOOLS
    pages = [ROOT / 'README.md', *ROOT.glob('configs/*/README.md'), *ROOT.glob('docs/**/*.md')]
    pages = [path for path in pages if path.name != 'components.md']  # it has them all
    assert unnamed(dict.fromkeys(BY_TOOLS), pages) == []


def test_each_is_in_the_table(registered):
    table = (ROOT / 'docs' / 'components.md').read_text()
    assert set(re.findall(r'^\| `(\w+)` \|', table, re.MULTILINE)) == set(registered)


def test_public_functions_are_typed():
    pytest.importorskip('mmpretrain')
    pytest.importorskip('optuna')
    seen, untyped = 0, []
    for module in pkgutil.walk_packages(wsl_plugins.__path__, 'wsl_plugins.'):
        for where, function in public_functions(importlib.import_module(module.name)):
            seen += 1
            signature = inspect.signature(function)
            bare = [
                p.name
                for p in signature.parameters.values()
                if p.annotation is p.empty
                and p.name not in ('self', 'cls')
                and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)  # passed on as they are
            ]
            if bare or signature.return_annotation is signature.empty:
                untyped.append(f'{module.name}.{where}: {bare or "return"}')
    assert seen > 400
    assert untyped == []


def public_functions(module: object) -> Iterator[tuple[str, Callable]]:
    """Functions of a module, and the methods of its classes, ``__init__`` and ``__call__`` too."""
    for name, value in vars(module).items():
        if name.startswith('_') or getattr(value, '__module__', None) != module.__name__:
            continue
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value):
            for method, function in vars(value).items():
                function = getattr(function, '__func__', getattr(function, 'fget', function))
                public = not method.startswith('_') or method in ('__init__', '__call__')
                own = getattr(function, '__module__', None) == module.__name__
                if public and own and inspect.isfunction(function):
                    yield f'{name}.{method}', function
