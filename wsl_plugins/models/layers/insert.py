"""A layer put behind any named layer of a model, without a subclass."""

from typing import Any

from torch import nn


class AfterHook:
    """Forward hook that passes the output of a layer through another layer.

    A class rather than a closure: copies and pickles of the model refer to their own layer.
    """

    def __init__(self, layer: nn.Module) -> None:
        self.layer = layer

    def __call__(self, module: nn.Module, inputs: tuple, output: Any) -> Any:
        return self.layer(output)


def insert_after(model: nn.Module, name: str, layer: nn.Module) -> None:
    """Pass the output of the submodule ``name`` of ``model`` through ``layer`` from now on.

    Names of parameters do not change, so checkpoints load as before. ``layer`` is not registered in
    the model: who inserts it keeps it where ``train()`` and the optimiser find it.

    Args:
        model: any module.
        name: dotted name as in ``model.named_modules()``, e.g. ``'backbone.layer3.0'``.
        layer: takes and returns what the submodule returns.

    Raises:
        ValueError: there is no such submodule; the message lists what is there.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        >>> insert_after(model, '0', nn.ReLU())
    """
    at, parts = model, name.split('.')
    for depth, part in enumerate(parts):
        children = dict(at.named_children())
        if part not in children:
            where = '.'.join(parts[:depth]) or type(model).__name__
            raise ValueError(f'no layer {name!r}: {where} has {", ".join(children) or "no layers"}')
        at = children[part]
    at.register_forward_hook(AfterHook(layer))
