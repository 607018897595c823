"""A checkpoint reduced to the weights of one model."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from wsl_plugins.checkpoints.fit import MisfitError, compare


def keep_model_weights(
    weights: Mapping[str, Tensor], shapes: Mapping[str, torch.Size]
) -> dict[str, Tensor]:
    """The weights that a model has, of a checkpoint that may hold more.

    Args:
        weights: tensors by name.
        shapes: of the weights of the model (:func:`wsl_plugins.checkpoints.model_shapes`).

    Raises:
        MisfitError: A weight of the model is missing (but for counters of batches), or has another
            shape.

    Example:
        >>> weights = {'fc.bias': torch.zeros(2), 'seg_head.fc.bias': torch.zeros(3)}
        >>> keep_model_weights(weights, {'fc.bias': torch.Size([2])})
        {'fc.bias': tensor([0., 0.])}
    """
    fit = compare(weights, shapes)
    if not fit.complete:
        raise MisfitError(fit)
    return {name: weights[name] for name in shapes if name in weights}


def tensors_in(content: Any) -> Iterator[Tensor]:
    """Every tensor in dicts, lists and tuples, however deep."""
    if torch.is_tensor(content):
        yield content
    elif isinstance(content, Mapping):
        for value in content.values():
            yield from tensors_in(value)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from tensors_in(value)


def size_by_name(content: Mapping[str, Any]) -> dict[str, tuple[int, float]]:
    """Number of tensors and megabytes (10**6 bytes) by the first part of the names.

    Example:
        >>> size_by_name({'seg_head.a': torch.zeros(250_000), 'seg_head.b': torch.zeros(1, 0)})
        {'seg_head': (2, 1.0)}
    """
    sizes: dict[str, tuple[int, float]] = {}
    for name, value in content.items():
        top = name.partition('.')[0]
        number, megabytes = sizes.get(top, (0, 0.0))
        for tensor in tensors_in(value):
            number, megabytes = number + 1, megabytes + tensor.nbytes / 1e6
        sizes[top] = (number, megabytes)
    return sizes
