"""After the trials: choose once, and close the search."""

from operator import attrgetter
from typing import IO, Any

from optuna.trial import TrialState

from wsl_plugins.files import read_json
from wsl_plugins.files.locks import lock_folder, take_lock
from wsl_plugins.files.writing import write_json

from .overrides import override
from .protocol import read_config, write_config
from .runs import Script, training_result
from .study import Study
from .trials import converged_trials, status_line, train


def close_search(folder: Script, train_script: Script, launcher: str | None = None) -> dict:
    """Choose the best converged trial on train-fullsup and close the search; ``closed.json``.

    After a search on the proxy set, the chosen setting is trained again on the whole
    train-weaksup, in ``retrained/``. Called again, it returns what was chosen (and goes on with a
    training that was interrupted).

    Returns:
        dict: ``trial``, ``params``, ``metric``, ``score`` and ``loss`` of the chosen trial; of the
        model to evaluate: ``config`` and ``checkpoint``, relative to the folder, and ``val``, its
        last validation; ``retrained``: ``score`` and ``loss`` of the training on the whole set, or
        None.

    Raises:
        FileNotFoundError: No study, or the trial's checkpoint is gone.
        ValueError: Trials are missing or open; none converged.
        RuntimeError: The training on the whole set failed.
    """
    study = Study.open(folder)
    folder = study.folder
    path = folder / 'closed.json'
    with take_lock(folder / 'claim.lock', wait=True):
        if not path.is_file():
            write_json(path, _choose(study))
    closed = read_json(path)
    if closed['checkpoint'] is None:
        with lock_folder(folder / 'retrained', 'trains the chosen setting') as lock:
            closed.update(_retrain(study, closed, train_script, launcher, lock))
        write_json(path, closed)
    return closed


def _choose(study: Study) -> dict[str, Any]:
    finished = study.trials(TrialState.COMPLETE, TrialState.FAIL)
    if len(finished) < len(study.trials()) or len(finished) < study.info['trials']:
        raise ValueError(
            f'{study.folder}: the search is not over: {status_line(study)}; `run` finishes it, or '
            'ends it early with a smaller --trials'
        )
    converged = converged_trials(study)
    if not converged:
        raise ValueError(f'{study.folder}: nothing to choose: {status_line(study)}')
    best = max(converged, key=attrgetter('value'))  # the first of equals
    where = study.trial_folder(best.number)
    choice = {
        'trial': best.number,
        'params': best.params,
        'metric': study.info['metric'],
        'score': best.value,
        'loss': best.user_attrs['loss'],
        'val': best.user_attrs['val'],
        'config': str((where / 'config.py').relative_to(study.folder)),
        'checkpoint': None,
        'retrained': None,
    }
    if not study.info['proxy']:
        choice['checkpoint'] = study.checkpoint_of(where)
    return choice


def _retrain(
    study: Study, closed: dict, script: Script, launcher: str | None, lock: IO
) -> dict[str, Any]:
    where = study.folder / 'retrained'
    cfg = read_config(study.folder / closed['config'])
    override(cfg['train_dataloader'], 'WSOLDataset:proxy', False)
    write_config(cfg, where / 'config.py')
    status = train(where / 'config.py', where, script, launcher, lock)
    if status:
        raise RuntimeError(f'the training ended with exit status {status}, see {where}/log.txt')
    result = training_result(where, study.info['metric'])
    return {
        'config': 'retrained/config.py',
        'checkpoint': study.checkpoint_of(where),
        'val': result.val,
        'retrained': {'score': result.score, 'loss': result.loss},
    }
