"""Small changes of Python code, one at a time: each should make some test fail."""

import ast
import copy
from collections.abc import Iterator
from typing import NamedTuple

OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
_PAIRS = (
    'min max',
    'minimum maximum',
    'argmin argmax',
    'amin amax',
    'any all',
    'floor ceil',
    'sum mean',
    'nansum nanmean',
    'zeros ones',
    'zeros_like ones_like',
    'softmax sigmoid',
)
CALLS = {a: b for pair in _PAIRS for a, b in (pair.split(), pair.split()[::-1])}
MODULES = {'F', 'ast', 'cv2', 'functools', 'json', 'math', 'ndimage', 'nn', 'np', 'os', 'shutil'}
MODULES |= {'scipy', 'self', 'torch', 'torchvision', 'super()'}
KEPT_DECORATORS = ('register_module', 'property', 'method', 'dataclass', 'wraps', 'fixture')


class Mutant(NamedTuple):
    """A changed module.

    Attributes:
        line: where it was changed.
        what: the change, ``old -> new``.
        code: the whole module.
    """

    line: int
    what: str
    code: str


def mutants(source: str) -> list[Mutant]:
    """All changes of a module, in the order of its lines.

    Not changed: annotations, imports, docstrings, messages of errors, ``__all__``, the device of
    tensors.

    Example:
        >>> [m.what for m in mutants('x = a + 1')]
        ['a + 1 -> a - 1', '1 -> 2', '1 -> 0']
    """
    tree = ast.parse(source)
    found = []
    for number, (place, node) in enumerate(_places(tree)):
        for new in _changes(node, place):
            clone = copy.deepcopy(tree)
            parent, field, index = next(p for n, (p, _) in enumerate(_places(clone)) if n == number)
            if index is None:
                setattr(parent, field, new)
            elif new is None:
                del getattr(parent, field)[index]
            else:
                getattr(parent, field)[index] = new
            code = ast.unparse(ast.fix_missing_locations(clone))
            line = getattr(node, 'lineno', getattr(place[0], 'lineno', 0))
            found.append(Mutant(line, f'{_first_line(node)} -> {_first_line(new)}', code))
    return sorted(found, key=lambda mutant: mutant.line)


def _first_line(node: ast.AST | None) -> str:
    return 'nothing' if node is None else ast.unparse(node).strip().splitlines()[0]


Place = tuple[ast.AST, str, int | None]  # parent, its field, index in the field


def _places(node: ast.AST) -> Iterator[tuple[Place, ast.AST]]:
    """Every node below, with where it is, in the same order for equal trees."""
    for field, value in ast.iter_fields(node):
        if _left_alone(node, field):
            continue
        children = enumerate(value) if isinstance(value, list) else [(None, value)]
        for index, child in children:
            if isinstance(child, ast.AST) and not _is_docstring(node, field, index, child):
                yield (node, field, index), child
                yield from _places(child)


def _left_alone(node: ast.AST, field: str) -> bool:
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.Raise, ast.JoinedStr)):
        return True
    if isinstance(node, ast.ClassDef) and field in ('bases', 'keywords'):
        return True
    named_all = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == '__all__'
    return named_all or field in ('annotation', 'returns', 'ctx', 'op', 'ops')


def _is_docstring(node: ast.AST, field: str, index: int | None, child: ast.AST) -> bool:
    """Also strings below the attributes of a class."""
    return (
        field == 'body'
        and isinstance(child, ast.Expr)
        and isinstance(child.value, ast.Constant)
        and isinstance(child.value.value, str)
    )


def _changes(node: ast.AST, place: Place) -> Iterator[ast.AST | None]:
    """What may stand in the place of a node; None: nothing."""
    parent, field, index = place
    if field == 'decorator_list':
        if not any(name in ast.unparse(node) for name in KEPT_DECORATORS):
            yield None
    elif isinstance(node, (ast.BinOp, ast.AugAssign, ast.BoolOp)):
        if type(node.op) in OPERATORS:
            yield _with(node, op=OPERATORS[type(node.op)]())
    elif isinstance(node, ast.Compare):
        for n, op in enumerate(node.ops):
            yield _with(node, ops=[*node.ops[:n], OPERATORS[type(op)](), *node.ops[n + 1 :]])
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.Constant):
        yield from _constants(node.value)
    elif isinstance(node, ast.Call):
        yield from _calls(node)
    elif isinstance(node, (ast.If, ast.IfExp, ast.While)):
        yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.comprehension):
        for n in range(len(node.ifs)):
            yield _with(node, ifs=[*node.ifs[:n], *node.ifs[n + 1 :]])
    elif isinstance(node, ast.Slice):
        for bound in ('lower', 'upper', 'step'):
            if getattr(node, bound) is not None:
                yield _with(node, **{bound: None})
    if isinstance(node, (ast.Raise, ast.AugAssign, ast.Expr)) or _sets_an_item(node):
        yield ast.Pass()
    elif isinstance(node, ast.Return) and node.value is not None:
        yield ast.Return(ast.Constant(None))
    elif isinstance(node, (ast.Break, ast.Continue)):
        yield ast.Pass()


def _sets_an_item(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript)


def _constants(value: object) -> Iterator[ast.AST]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield from (ast.Constant(value + 1), ast.Constant(value - 1))
    elif isinstance(value, float):
        yield ast.Constant(value * 2 or 1.0)
    elif isinstance(value, str):
        yield ast.Constant(f'{value}?')


def _calls(node: ast.Call) -> Iterator[ast.AST]:
    """Another function, one keyword less, the object itself in place of its method's result."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, 'id', '')
    if name in CALLS:
        key = 'attr' if isinstance(node.func, ast.Attribute) else 'id'
        yield _with(node, func=_with(node.func, **{key: CALLS[name]}))
    for n, keyword in enumerate(node.keywords):
        if keyword.arg not in (None, 'device'):
            yield _with(node, keywords=[*node.keywords[:n], *node.keywords[n + 1 :]])
    if isinstance(node.func, ast.Attribute) and not _needs_an_accelerator(node):
        if ast.unparse(node.func.value) not in MODULES:
            yield node.func.value


def _needs_an_accelerator(node: ast.Call) -> bool:
    """Whether only tensors elsewhere than in main memory tell the difference."""
    return node.func.attr == 'cpu' or ast.unparse(node).endswith('.device)')


def _with(node: ast.AST, **fields) -> ast.AST:
    """A copy with other fields."""
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new
