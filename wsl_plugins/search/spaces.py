"""Search spaces of the WSOL methods, and draws from them.

Choe et al., Evaluating Weakly Supervised Object Localization Methods Right, CVPR 2020, table 5.
"""

import copy
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial

from wsl_plugins.files import file_errors, read_json, short

from .overrides import dicts_of_type, override


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


def cutmix_alpha(u: float) -> float:
    """Size prior alpha = 1 / u - 1 / 2: u uniform in (0, 2] makes Var(Beta(alpha, alpha)) = u / 8
    uniform in (0, 1/4] (table 5 and C.1)."""
    return 1 / u - 0.5


_EDGE = 1e-6  # alpha is infinite at u = 0 and 0 at u = 2: no Beta distribution
_COMMON = (
    Parameter('lr', 'optim_wrapper.optimizer.lr', 1e-5, 1.0, log=True),
    Parameter('score_map_size', 'model.backbone.score_map_size', choices=(14, 28)),
)
_PIECES = {
    'HideAndSeek': (
        'HaS',
        Parameter('has_drop_rate', 'HideAndSeek:drop_rate'),
        Parameter('has_drop_area', 'HideAndSeek:cell_size'),
    ),
    'ACoLHead': ('ACoL', Parameter('acol_erase_threshold', 'ACoLHead:erase_threshold')),
    'SPGHead': (
        'SPG',
        *(
            Parameter(f'spg_{branch}_{end}', f'SPGHead:thresholds_{branch}', low)
            for branch in ('b1', 'b2', 'c')
            for end, low in (('low', 0.0), ('high', f'spg_{branch}_low'))
        ),
    ),
    'ADL': (
        'ADL',
        Parameter('adl_drop_rate', 'ADL:drop_rate'),
        Parameter('adl_threshold', 'ADL:threshold'),
    ),
    'CutMix': (
        'CutMix',
        Parameter('cutmix_u', 'CutMix:alpha', _EDGE, 2 - _EDGE, transform=cutmix_alpha),
        Parameter('cutmix_rate', 'model.train_cfg.probs'),  # or where CutMix stands
    ),
}
_CUTMIX_PLACES = (
    'model.train_cfg',
    'model.data_preprocessor.batch_augments',
    'data_preprocessor.batch_augments',
)


def table5_space(cfg: dict) -> tuple[str, tuple[Parameter, ...]]:
    """Name of the method that a config holds, and its search space (table 5).

    Learning rate and score-map size belong to every method. The pieces ``HideAndSeek``,
    ``ACoLHead``, ``SPGHead``, ``ADL`` and ``CutMix`` add theirs; a config with none is CAM, one
    with several is named ``A+B`` and searched over both.

    Raises:
        ValueError: CutMix is not alone in ``augments`` of ``model.train_cfg`` or of the data
            preprocessor's ``batch_augments``: its mix rate ``probs`` is not one number.
    """
    found = [piece for piece in _PIECES if any(dicts_of_type(cfg, piece))]
    method = '+'.join(_PIECES[piece][0] for piece in found) or 'CAM'
    own = [parameter for piece in found for parameter in _PIECES[piece][1:]]
    if 'CutMix' in found:
        rate = f'{_cutmix_place(cfg)}.probs'
        own = [replace(p, target=rate) if p.name == 'cutmix_rate' else p for p in own]
    return method, (*_COMMON, *own)


def _cutmix_place(cfg: dict) -> str:
    """Dotted path of the dict (``augments``, ``probs``) that has CutMix, alone."""
    for place in _CUTMIX_PLACES:
        node = cfg
        for key in (*place.split('.'), 'augments'):
            node = (node or {}).get(key)
        augments = node if isinstance(node, list | tuple) else [node]
        if len(augments) == 1 and any(dicts_of_type(augments, 'CutMix')):
            return place
    raise ValueError(
        'the search of CutMix needs it alone in the augments of one of ' + ', '.join(_CUTMIX_PLACES)
    )


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


class NumberedRandomSampler(BaseSampler):
    """Optuna's random sampler, seeded anew by (seed, number of the trial, name of the parameter).

    So a trial's setting does not depend on which process draws it, nor on what was drawn before or
    lost in between; and two studies of the same seed share their settings, trial by trial, which
    compares the full and the proxy training set (B.4) at the same points.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        key = [self.seed, trial.number, zlib.crc32(param_name.encode())]
        seed = int(np.random.SeedSequence(key).generate_state(1)[0])
        return RandomSampler(seed).sample_independent(study, trial, param_name, param_distribution)


def check_space(cfg: dict, space: tuple[Parameter, ...]) -> None:
    """See whether a config has a place for every parameter; the config stays as it is.

    Raises:
        ValueError: It has none.
    """
    trial = optuna.create_study(sampler=NumberedRandomSampler(0)).ask()
    apply(copy.deepcopy(cfg), space, draw(trial, space))
