"""Own search spaces, from a JSON file."""

import os
from pathlib import Path
from typing import Any

from wsl_plugins.files import file_errors, read_json, short

from .parameters import Parameter


def read_space(path: str | os.PathLike) -> tuple[Parameter, ...]:
    """Own search space from a JSON file: ``{name: {target, low, high, log | choices}}``.

    The fields are those of :class:`Parameter`; the space replaces that of table 5 altogether.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Not JSON, or a parameter is malformed.

    Example:
        ``{"lr": {"target": "optim_wrapper.optimizer.lr", "low": 1e-4, "high": 0.1, "log": true}}``
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such search space')
    entries = read_json(path)
    if not isinstance(entries, dict) or not entries:
        raise ValueError(f'{path}: must be an object of parameters, got {short(entries)}')
    with file_errors(path, 'search space'):
        return tuple(
            _parameter(f'{path}: {name}', name, entries[name], entries) for name in entries
        )


def _parameter(where: str, name: str, entry: Any, entries: dict) -> Parameter:
    allowed = {'target', 'low', 'high', 'log', 'choices'}
    if not isinstance(entry, dict) or 'target' not in entry or entry.keys() - allowed:
        raise ValueError(
            f'{where}: needs "target" and may have {sorted(allowed)}, got {short(entry)}'
        )
    if 'choices' in entry:
        if entry.keys() != {'target', 'choices'} or not isinstance(entry['choices'], list):
            raise ValueError(
                f'{where}: "choices" is a list and excludes low, high, log: {short(entry)}'
            )
        return Parameter(name, entry['target'], choices=tuple(entry['choices']))
    parameter = Parameter(name, **entry)
    low, earlier = parameter.low, list(entries)[: list(entries).index(name)]
    if isinstance(low, str):
        if low not in earlier:
            raise ValueError(f'{where}: "low" names no earlier parameter: {low!r}')
    elif not low < parameter.high or (parameter.log and low <= 0):
        raise ValueError(f'{where}: needs low < high, and low > 0 if log, got {short(entry)}')
    return parameter
