"""Weights renamed key by key, with a report of what is left over on both sides."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

INIT_PREFIXES = ('backbone.', 'roi_head.shared_head.')


def unchanged(weight: Tensor) -> Tensor:
    """The weight itself."""
    return weight


def same_names(keys: Iterable[str]) -> dict[str, str]:
    """Every key under its own name."""
    return {key: key for key in keys}


@dataclass(frozen=True)
class Rule:
    r"""One line of a table of names.

    Args:
        pattern: regular expression, matched from the start of a key.
        name: replacement of what it matches (``\1``: the first group).
        change: of the tensor, e.g. another order of rows. Default: none.
    """

    pattern: str
    name: str
    change: Callable[[Tensor], Tensor] = unchanged

    def apply(self, key: str) -> str | None:
        """The new key; None where the pattern does not match."""
        match = re.match(self.pattern, key)
        return match and match.expand(self.name) + key[match.end() :]


@dataclass(frozen=True)
class Layout:
    """How a code base names its weights.

    Args:
        rules: a key takes the first rule whose result is a weight of the model.
        needed: regular expression of the weights of the model that the source must fill, matched
            from the start. Counters of batches (``num_batches_tracked``) are never needed.
        rename: of all keys at once, before the rules. Default: none.
        normalization: see :func:`wsl_plugins.checkpoints.check_normalization`. Default: any.
        notes: pairs (regular expression, what users must know when it is found in the keys of the
            source, sorted, one per line).
    """

    rules: tuple[Rule, ...]
    needed: str
    rename: Callable[[Collection[str]], Mapping[str, str]] = same_names
    normalization: tuple[tuple[float, ...], tuple[float, ...], bool] | None = None
    notes: tuple[tuple[str, str], ...] = ()


@dataclass
class Conversion:
    """Result of :func:`convert`.

    Args:
        weights: tensors under the names of the model.
        unused: reason by key of the source.
        unfilled: weights of the model that got nothing.
        missing: those of them that are needed.
    """

    weights: dict[str, Tensor] = field(default_factory=dict)
    unused: dict[str, str] = field(default_factory=dict)
    unfilled: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def renumber(keys: Collection[str], stem: str, numbers: Sequence[int]) -> dict[str, str]:
    """Keys ``stem.N.rest`` with the k-th different N replaced by ``numbers[k]``; others stay.

    Raises:
        ValueError: There are more different N than numbers.

    Example:
        >>> renumber(['f.0.w', 'f.4.w', 'f.9.w', 'g.4.w'], 'f', [0, 1, 2])
        {'f.0.w': 'f.0.w', 'f.4.w': 'f.1.w', 'f.9.w': 'f.2.w', 'g.4.w': 'g.4.w'}
    """
    numbered = re.compile(rf'^{stem}\.(\d+)\.')
    found = sorted({int(match[1]) for key in keys if (match := numbered.match(key))})
    if len(found) > len(numbers):
        raise ValueError(f'{stem} has {len(found)} layers with weights, expected {len(numbers)}')
    new = dict(zip(found, numbers, strict=False))
    return {key: numbered.sub(lambda m: f'{stem}.{new[int(m[1])]}.', key, count=1) for key in keys}


def convert(
    source: Mapping[str, Tensor], shapes: Mapping[str, torch.Size], layout: Layout
) -> Conversion:
    """Bring the weights of a source under the names of a model.

    Args:
        source: tensors by name.
        shapes: of the weights of the model (:func:`wsl_plugins.checkpoints.model_shapes`).
        layout: names of the source.

    Returns:
        Conversion: missing weights are listed, not refused.

    Raises:
        ValueError: A shape differs in a needed weight, two keys meet at one name, or no key has a
            place in the model.

    Example:
        >>> layout = Layout((Rule('fc', 'head.fc'),), needed='head')
        >>> shapes = {'head.fc.weight': torch.Size([2, 3]), 'head.fc.bias': torch.Size([2])}
        >>> found = convert({'fc.weight': torch.zeros(2, 3), 'x': torch.zeros(1)}, shapes, layout)
        >>> list(found.weights), found.unused, found.missing
        (['head.fc.weight'], {'x': 'no place in the model'}, ['head.fc.bias'])
    """
    result = Conversion()
    takers: dict[str, str] = {}
    for key, common in layout.rename(list(source)).items():
        names = ((rule.apply(common), rule) for rule in layout.rules)
        found = next(((n, r) for n, r in names if n is not None and n in shapes), None)
        if found is None:
            result.unused[key] = 'no place in the model'
            continue
        name, rule = found
        weight = rule.change(source[key])
        if weight.shape != shapes[name]:
            problem = f'{tuple(weight.shape)} does not fit {name} {tuple(shapes[name])}'
            if re.match(layout.needed, name):
                raise ValueError(f'{key}: {problem}')
            result.unused[key] = problem
            continue
        if name in takers:
            raise ValueError(f'{takers[name]} and {key} are both {name} of the model')
        takers[name] = key
        result.weights[name] = weight
    if not result.weights:
        raise ValueError(
            f'no weight has a place in the model: the source starts with {next(iter(source))}, the '
            f'model with {next(iter(shapes), None)}'
        )
    result.unfilled = [name for name in shapes if name not in result.weights]
    result.missing = [
        name
        for name in result.unfilled
        if re.match(layout.needed, name) and not name.endswith('.num_batches_tracked')
    ]
    return result


def for_init(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of backbone and shared head without these prefixes.

    ``init_cfg=dict(type='Pretrained', checkpoint=FILE)`` of either reads them.

    Raises:
        ValueError: A name would stand for two weights.

    Example:
        >>> list(for_init({'backbone.conv1.bias': torch.zeros(1), 'head.fc.bias': torch.zeros(1)}))
        ['conv1.bias']
    """
    found: dict[str, Tensor] = {}
    for prefix in INIT_PREFIXES:
        for name, weight in weights.items():
            short = name.removeprefix(prefix)
            if short == name:
                continue
            if short in found:
                raise ValueError(f'{short} is in the backbone and in the shared head')
            found[short] = weight
    return found
