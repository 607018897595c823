"""Whether the weights of a file are those that a model needs."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from wsl_plugins.files.problems import summary

SIZES = re.compile(  # torch's words
    r'size mismatch for (\S+): copying a param with shape torch\.Size\(\[(.*)\]\) from checkpoint, '
    r'the shape in current model is torch\.Size\(\[(.*)\]\)\.'
)


class MisfitError(ValueError):
    """A checkpoint is not of the model, or not what a run can start from."""


@dataclass(frozen=True)
class Fit:
    """What is left over on both sides when a model takes the weights of a file.

    Args:
        needed: number of weights that the model needs.
        missing: names of those that the file does not have.
        other_shapes: those of another shape in the file, as text.
        unexpected: names in the file that the model does not have.

    Example:
        >>> print(Fit(62, ['fc.bias'], unexpected=['x.weight', 'x.bias']))
        of 62 needed weights: 1 missing weight: fc.bias | 2 unexpected weights: x.weight; x.bias
    """

    needed: int
    missing: list[str] = field(default_factory=list)
    other_shapes: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether the model gets all it needs. The file may hold more."""
        return not self.missing and not self.other_shapes

    @property
    def nothing(self) -> bool:
        """Whether the model needs weights and gets none."""
        return 0 < self.needed == len(self.missing) + len(self.other_shapes)

    def __str__(self) -> str:
        kinds = {
            'missing weight': self.missing,
            'other shape': self.other_shapes,
            'unexpected weight': self.unexpected,
        }
        found = ' | '.join(summary(names, noun) for noun, names in kinds.items() if names)
        return f'of {self.needed} needed weights: {found or "all fit"}'


def other_order(meta: object, classes: Sequence[str] | None) -> str | None:
    """Whether a checkpoint knows the same classes in another order; None if it does not.

    Args:
        meta: its entry ``meta``, whatever it is.
        classes: names of the classes of a data set; None if it has none.

    Example:
        >>> other_order({'dataset_meta': {'classes': ('cat', 'dog')}}, ('dog', 'cat'))
        "has the classes in another order than the config: 'cat' in place of 'dog'"
    """
    meta = meta.get('dataset_meta') if isinstance(meta, Mapping) else None
    meta = {str(k).lower(): v for k, v in meta.items()} if isinstance(meta, Mapping) else {}
    noted = meta.get('classes')
    if not classes or isinstance(classes, str) or not isinstance(noted, (list, tuple)):
        return None
    noted, classes = list(map(str, noted)), list(map(str, classes))
    if noted == classes or sorted(noted) != sorted(classes):
        return None
    here, there = next(pair for pair in zip(noted, classes, strict=True) if len({*pair}) > 1)
    return f'has the classes in another order than the config: {here!r} in place of {there!r}'


def needs(names: Collection[str]) -> list[str]:
    """The weights that a model needs: all but counters of batches, which older files lack."""
    return [name for name in names if not name.endswith('num_batches_tracked')]


def compare(weights: Mapping[str, Tensor], shapes: Mapping[str, torch.Size]) -> Fit:
    """Compare names and shapes with those of a model.

    Args:
        weights: tensors by name.
        shapes: of the weights of the model (:func:`wsl_plugins.checkpoints.model_shapes`).

    Example:
        >>> compare({'fc.bias': torch.zeros(2)}, {'fc.bias': torch.Size([3])}).other_shapes
        ['fc.bias has shape (2,), the model needs (3,)']
    """
    needed = needs(shapes)
    return Fit(
        len(needed),
        [name for name in needed if name not in weights],
        [
            _other_shape(name, weights[name].shape, shape)
            for name, shape in shapes.items()
            if name in weights and weights[name].shape != shape
        ],
        [name for name in weights if name not in shapes],
    )


def load_fitting(
    model: nn.Module, weights: Mapping[str, Tensor], needed: Collection[str] | None = None
) -> Fit:
    """Load the weights that fit into a model, and tell which do not.

    Layers that know other names or shapes of their weights convert them, as always in torch.

    Args:
        model: the model.
        weights: tensors by name.
        needed: names of the weights that count (but for counters of batches). Default: all.

    Example:
        >>> print(load_fitting(nn.Linear(2, 3), {'weight': torch.zeros(3, 2), 'x': torch.zeros(1)}))
        of 2 needed weights: 1 missing weight: bias | 1 unexpected weight: x
    """
    needed = needs(model.state_dict() if needed is None else needed)
    left: dict = {}
    problems, other_shapes = [], []
    handle = model.register_load_state_dict_post_hook(
        lambda module, keys: left.update(missing=set(keys.missing_keys), more=keys.unexpected_keys)
    )
    try:
        model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        if not left:
            raise  # from the middle, by a layer's own conversion
        problems = [line.strip() for line in str(error).splitlines()[1:]]
    finally:
        handle.remove()
    for line in problems:
        found = SIZES.fullmatch(line)
        if found is None:
            other_shapes.append(line)
        elif found[1] in needed:
            shapes = (re.findall(r'\d+', found[group]) for group in (2, 3))
            other_shapes.append(_other_shape(found[1], *shapes))
    missing = [name for name in needed if name in left['missing']]
    return Fit(len(needed), missing, other_shapes, left['more'])


def _other_shape(name: str, found: Iterable, wanted: Iterable) -> str:
    found, wanted = (tuple(map(int, shape)) for shape in (found, wanted))
    return f'{name} has shape {found}, the model needs {wanted}'
