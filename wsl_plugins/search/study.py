"""A study: its folder, its trials, and who runs which of them."""

import json
import os
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from wsl_plugins.files import read_json
from wsl_plugins.files.locks import JournalLock, take_lock
from wsl_plugins.files.writing import write_json

from .parameters import Parameter
from .protocol import config_text, write_config
from .runs import last_checkpoint
from .sampler import NumberedRandomSampler

METRIC = 'wsol/MaxBoxAccV2'


class Claim(NamedTuple):
    """A trial that belongs to this process as long as it holds the lock."""

    trial: optuna.Trial
    folder: Path
    lock: IO


@dataclass
class Study:
    """A random search in its folder.

    ``study.json`` tells what was asked for, ``config.py`` the method's whole config,
    ``trials.journal`` (or another storage) the trials, ``trials/0007/`` is the work folder of a
    trial. Processes on any number of machines may share the folder.
    """

    folder: Path
    info: dict[str, Any]
    storage: optuna.Study

    @classmethod
    def open(cls, folder: str | os.PathLike) -> 'Study':
        """Open the study of a folder.

        Raises:
            FileNotFoundError: The folder has none.
        """
        folder = Path(folder)
        path = folder / 'study.json'
        if not path.is_file():
            raise FileNotFoundError(f'{folder}: no study there (no study.json)')
        info = read_json(path)
        name, sampler = info['name'], NumberedRandomSampler(info['seed'])
        where = _storage(info['storage'], folder)
        return cls(folder, info, optuna.load_study(study_name=name, storage=where, sampler=sampler))

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """Trials in these states, by number; all without a state."""
        return self.storage.get_trials(deepcopy=False, states=states or None)

    def trial_folder(self, number: int) -> Path:
        return self.folder / 'trials' / f'{number:04d}'

    def checkpoint_of(self, training: Path) -> str:
        """Last checkpoint of a training, relative to the folder of the study.

        Raises:
            FileNotFoundError: There is none.
        """
        checkpoint = last_checkpoint(training)
        if checkpoint is None or not checkpoint.is_file():
            raise FileNotFoundError(
                f'{training}: no last checkpoint there; it is what `test` evaluates'
            )
        return str(checkpoint.relative_to(self.folder))

    def claim(self) -> Claim | None:
        """Take a trial that a dead process left, else the next new one; None when none is left."""
        with take_lock(self.folder / 'claim.lock', wait=True):
            for trial in self.trials(TrialState.RUNNING):
                claim = self._take(trial._trial_id, trial.number)
                if claim is not None:
                    return claim
            if len(self.trials()) >= self.info['trials']:
                return None
            trial = self.storage.ask()
            return self._take(trial._trial_id, trial.number)

    def _take(self, trial_id: int, number: int) -> Claim | None:
        folder = self.trial_folder(number)
        folder.mkdir(parents=True, exist_ok=True)
        lock = take_lock(folder / 'lock')
        if lock is None:
            return None
        if self.trials()[number].state is not TrialState.RUNNING:  # finished a moment ago
            lock.close()
            return None
        return Claim(optuna.Trial(self.storage, trial_id), folder, lock)


def start_study(
    folder: str | os.PathLike,
    cfg: dict,
    method: str,
    space: tuple[Parameter, ...],
    trials: int = 30,
    storage: str | None = None,
    seed: int | None = None,
    proxy: bool = False,
    metric: str | None = None,
) -> Study:
    """Start the study of a folder, or continue it: then all but ``trials`` must be as before (and
    ``metric``, as long as no trial has a score).

    Args:
        folder (str | os.PathLike): Work folder, shared by all processes of the study.
        cfg (dict): The method's whole config.
        method (str): Name in the reports.
        space (tuple[Parameter, ...]): Search space.
        trials (int): Trials of the study, all processes together. Default: 30.
        storage (str | None): Address of a data base (``sqlite:///...``) or a journal file.
            Default: ``trials.journal`` in the folder.
        seed (int | None): Of the draws. Default: 0, or that of the study.
        proxy (bool): Train on the proxy subset. Default: False.
        metric (str | None): Key of the validation to maximise. Default: ``wsol/MaxBoxAccV2``, or
            that of the study.

    Raises:
        ValueError: The study of the folder is another one, or closed.
    """
    if trials < 1:
        raise ValueError(f'--trials must be at least 1, got {trials}')
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    asked = {
        'method': method,
        'space': [{k: v for k, v in asdict(p).items() if k != 'transform'} for p in space],
        'proxy': proxy,
        'storage': storage and (storage if '://' in storage else str(Path(storage).resolve())),
        'seed': seed,
        'metric': metric,
    }
    asked = json.loads(json.dumps(asked))  # lists for tuples, as in the file
    with take_lock(folder / 'claim.lock', wait=True):
        path = folder / 'study.json'
        if not path.is_file():
            info = {
                'name': f'{method}-{uuid.uuid4().hex[:12]}',
                **asked,
                'seed': 0 if seed is None else seed,
                'metric': metric or METRIC,
            }
            where = _storage(info['storage'], folder)
            optuna.create_study(study_name=info['name'], storage=where, direction='maximize')
            write_config(cfg, folder / 'config.py')
        else:
            info = read_json(path)
            _check_same(folder, info, asked, cfg)
        info['trials'] = trials
        write_json(path, info)
    return Study.open(folder)


def _check_same(folder: Path, info: dict, asked: dict, cfg: dict) -> None:
    if (folder / 'closed.json').is_file():
        raise ValueError(f'{folder}: the search is closed; a new one needs a new folder')
    for key, value in asked.items():
        optional = key in ('seed', 'metric', 'storage') and value is None
        if optional or value == info[key]:
            continue
        if key == 'metric' and not Study.open(folder).trials(TrialState.COMPLETE):
            info['metric'] = value  # no score was read yet
        else:
            raise ValueError(f'{folder}: the study there has {key} {info[key]!r}, asked: {value!r}')
    if config_text(cfg) != (folder / 'config.py').read_text():
        raise ValueError(f'{folder}: the study there has another config ({folder}/config.py)')


def _storage(storage: str | None, folder: Path) -> str | JournalStorage:
    if storage and '://' in storage:
        return storage
    path = Path(storage or folder / 'trials.journal')
    lock = JournalLock(path.with_name(f'{path.name}.flock'))
    return JournalStorage(JournalFileBackend(str(path), cast(Any, lock)))
