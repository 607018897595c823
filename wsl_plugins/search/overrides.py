"""Set values in a config by dotted path, or by the type of the piece that takes them."""

from collections.abc import Iterator
from typing import Any


def dicts_of_type(node: Any, name: str) -> Iterator[dict]:
    """Every dict in ``node`` with ``type='<name>'`` or ``type='<scope>.<name>'``, outermost first.

    Example:
        >>> list(dicts_of_type([dict(type='wsl_plugins.ADL', drop_rate=0.5)], 'ADL'))
        [{'type': 'wsl_plugins.ADL', 'drop_rate': 0.5}]
    """
    if isinstance(node, dict):
        kind = node.get('type')
        if isinstance(kind, str) and kind.rsplit('.', 1)[-1] == name:
            yield node
        children = list(node.values())
    elif isinstance(node, list | tuple):
        children = node
    else:
        return
    for child in children:
        yield from dicts_of_type(child, name)


def override(cfg: dict, target: str, value: Any) -> None:
    """Set ``target`` of the config ``cfg`` to ``value``, in place.

    Args:
        cfg (dict): Config or part of one.
        target (str): ``'Type:key'`` sets ``key`` of **every** dict of that type (scope left out),
            wherever it stands; ``'a.b.c'`` sets what stands at that dotted path, which must be
            there already, so that a misspelt path is an error.
        value: Anything that a config holds.

    Raises:
        ValueError: No dict of the type; the path leads nowhere.

    Example:
        >>> cfg = dict(model=dict(neck=dict(type='wsl_plugins.ADL')), lr=0.1)
        >>> override(cfg, 'ADL:drop_rate', 0.3)
        >>> override(cfg, 'lr', 0.01)
        >>> cfg
        {'model': {'neck': {'type': 'wsl_plugins.ADL', 'drop_rate': 0.3}}, 'lr': 0.01}
    """
    if ':' in target:
        name, key = target.split(':', 1)
        pieces = list(dicts_of_type(cfg, name))
        if not pieces:
            raise ValueError(f'the config has no piece of type {name}, wanted by {target!r}')
        for piece in pieces:
            piece[key] = value
        return
    *parents, key = target.split('.')
    node = cfg
    for depth, parent in enumerate([*parents, key]):
        if not isinstance(node, dict) or parent not in node:
            where = '.'.join(parents[:depth]) or 'the config'
            known = ', '.join(node) if isinstance(node, dict) else repr(node)
            raise ValueError(
                f'the config has no {target!r}: {parent!r} is not in {where} ({known}); '
                'name it there, the search replaces its value'
            )
        if depth < len(parents):
            node = node[parent]
    node[key] = value
