"""Parameters of a search: drawn for a trial, and put into a config."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optuna

from .overrides import override
from .sampler import NumberedRandomSampler


@dataclass(frozen=True)
class Parameter:
    """One hyperparameter: how it is drawn and where it stands in a config.

    Args:
        name (str): Name in the tables.
        target (str): Place in the config, see :func:`override`. Parameters of the same target are
            put there together, as a list in the order of the space.
        low (float | str): Lower end; a name stands for the value drawn for that earlier parameter.
        high (float): Upper end.
        log (bool): Uniform in the logarithm. Default: False.
        choices (tuple): Draw one of these instead of a number between ``low`` and ``high``.
        transform (Callable | None): From the drawn value to the one of the config. Default: None,
            as drawn.
    """

    name: str
    target: str
    low: float | str = 0.0
    high: float = 1.0
    log: bool = False
    choices: tuple = ()
    transform: Callable[[float], float] | None = None

    def suggest(self, trial: optuna.Trial, earlier: dict[str, Any]) -> Any:
        if self.choices:
            return trial.suggest_categorical(self.name, self.choices)
        low = earlier[self.low] if isinstance(self.low, str) else self.low
        return trial.suggest_float(self.name, low, self.high, log=self.log)


def draw(trial: optuna.Trial, space: tuple[Parameter, ...]) -> dict[str, Any]:
    """Values of a trial by name, before any transform."""
    values: dict[str, Any] = {}
    for parameter in space:
        values[parameter.name] = parameter.suggest(trial, values)
    return values


def apply(cfg: dict, space: tuple[Parameter, ...], values: dict[str, Any]) -> None:
    """Put the drawn ``values`` (by name) into the config ``cfg``, in place."""
    by_target: dict[str, list] = {}
    for parameter in space:
        value = values[parameter.name]
        if parameter.transform is not None:
            value = parameter.transform(value)
        by_target.setdefault(parameter.target, []).append(value)
    for target, group in by_target.items():
        override(cfg, target, group if len(group) > 1 else group[0])


def check_space(cfg: dict, space: tuple[Parameter, ...]) -> None:
    """See whether a config has a place for every parameter; the config stays as it is.

    Raises:
        ValueError: It has none.
    """
    trial = optuna.create_study(sampler=NumberedRandomSampler(0)).ask()
    apply(copy.deepcopy(cfg), space, draw(trial, space))
