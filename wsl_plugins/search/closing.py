"""After the trials: choose once, evaluate on test once, and only then analyse."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from optuna.trial import TrialState

from wsl_plugins.files import read_json
from wsl_plugins.files.writing import write_json

from .overrides import override
from .protocol import evaluation_config, read_config, write_config
from .report import kendall_tau, write_scores
from .runs import command, last_checkpoint, read_test_metrics, run_logged, training_result
from .study import Study, take_lock
from .trials import converged_trials, status_line, train

Script = str | os.PathLike


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
        with _lock(folder / 'retrained', 'trains the chosen setting') as lock:
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
    best = max(converged, key=lambda trial: trial.value)  # the first of equals
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
        choice['checkpoint'] = _checkpoint(study, where)
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
        'checkpoint': _checkpoint(study, where),
        'val': result.val,
        'retrained': {'score': result.score, 'loss': result.loss},
    }


def evaluate_once(
    folder: Script, test_script: Script, launcher: str | None = None
) -> tuple[dict, bool]:
    """Evaluate the chosen model on test, once; ``test.json``.

    Returns:
        tuple[dict, bool]: ``trial``, ``metric``, ``score``, ``metrics`` (all of them); and whether
        this is the kept result of an earlier evaluation.

    Raises:
        FileNotFoundError: No study, or the checkpoint is gone.
        ValueError: The search is not closed; the config has no test on the split test.
        RuntimeError: The test run failed: it left no metrics and may be started again.
    """
    study = Study.open(folder)
    folder = study.folder
    path = folder / 'test.json'
    if path.is_file():
        return read_json(path), True
    closed_path = folder / 'closed.json'
    closed = read_json(closed_path) if closed_path.is_file() else {}
    if not closed.get('checkpoint'):
        raise ValueError(f'{folder}: the search is not closed: `close` comes before `test`')
    with _lock(folder / 'test', 'evaluates on test') as lock:
        metrics = _evaluate(study, folder / 'test', closed, test_script, launcher, lock)
        score = _score(metrics, closed['metric'], folder / 'test')
        result = {k: closed[k] for k in ('trial', 'metric')} | {'score': score, 'metrics': metrics}
        write_json(path, result)
    return result, False


def _evaluate(
    study: Study, where: Path, model: dict, script: Script, launcher: str | None, lock: IO
) -> dict[str, Any]:
    """Metrics of ``model`` (``config``, ``checkpoint``, ``val``) on test.

    A run that left its metrics is not repeated.
    """
    config, checkpoint = (study.folder / model[key] for key in ('config', 'checkpoint'))
    if not checkpoint.is_file():
        raise FileNotFoundError(f'{checkpoint}: no such checkpoint')
    original = read_config(study.folder / 'config.py')
    cfg = evaluation_config(read_config(config), original, model['val'])
    if (metrics := read_test_metrics(where)) is not None:
        return metrics
    write_config(cfg, where / 'config.py')
    words = command(launcher, script, [where / 'config.py', checkpoint, '--work-dir', where])
    status = run_logged(words, where / 'log.txt', lock)
    if status:
        raise RuntimeError(f'the test run ended with exit status {status}, see {where}/log.txt')
    metrics = read_test_metrics(where)
    if metrics is None:
        raise RuntimeError(f'{where}: the test run left no metrics, see {where}/log.txt')
    return metrics


def analyse_test(
    folder: Script,
    test_script: Script,
    launcher: str | None = None,
    echo: Callable[[str], None] = print,
) -> float:
    """Evaluate every converged trial on test and compare the rankings (section B.3, table 4).

    Only after the chosen model's result is kept: nothing may be chosen by these numbers. Writes
    ``analysis/fullsup.csv`` and ``analysis/test.csv`` (trial, score); an interrupted analysis goes
    on where it was.

    Returns:
        float: Kendall's tau between the scores on train-fullsup and on test.

    Raises:
        ValueError: The study has no result on test yet; fewer than two trials converged.
    """
    study = Study.open(folder)
    folder = study.folder
    path = folder / 'test.json'
    if not path.is_file():
        raise ValueError(f'{folder}: no test.json: `test` comes before the analysis')
    kept, metric = read_json(path), study.info['metric']
    fullsup, test = {}, {}
    for trial in converged_trials(study):
        fullsup[trial.number] = trial.value
        if trial.number == kept['trial'] and not study.info['proxy']:
            test[trial.number] = kept['score']
            continue
        trained = study.trial_folder(trial.number)
        model = {
            'config': str((trained / 'config.py').relative_to(folder)),
            'checkpoint': _checkpoint(study, trained),
            'val': trial.user_attrs['val'],
        }
        where = folder / 'analysis' / f'{trial.number:04d}'
        with _lock(where, 'evaluates this trial') as lock:
            metrics = _evaluate(study, where, model, test_script, launcher, lock)
        test[trial.number] = _score(metrics, metric, where)
        echo(f'trial {trial.number}: {trial.value:.4g} on train-fullsup, {test[trial.number]:.4g}')
    write_scores(fullsup, folder / 'analysis' / 'fullsup.csv')
    write_scores(test, folder / 'analysis' / 'test.csv')
    return kendall_tau(fullsup, test)


def _checkpoint(study: Study, where: Path) -> str:
    checkpoint = last_checkpoint(where)
    if checkpoint is None or not checkpoint.is_file():
        raise FileNotFoundError(f'{where}: no last checkpoint there; it is what `test` evaluates')
    return str(checkpoint.relative_to(study.folder))


def _score(metrics: dict, metric: str, where: Path) -> float:
    if metric not in metrics:
        raise ValueError(f'{where}: the test has no {metric!r}, but {", ".join(sorted(metrics))}')
    return float(metrics[metric])


def _lock(where: Path, doing: str) -> IO:
    where.mkdir(parents=True, exist_ok=True)
    lock = take_lock(where / 'lock')
    if lock is None:
        who = (where / 'lock').read_text().strip()
        raise ValueError(f'{where}: another process (host process {who}) {doing}')
    return lock
