"""On test: the chosen model once, and only then all others, for analysis."""

from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from wsl_plugins.files import read_json
from wsl_plugins.files.locks import lock_folder
from wsl_plugins.files.writing import write_json

from .protocol import evaluation_config, read_config, write_config
from .report import kendall_tau, write_scores
from .runs import Script, command, read_test_metrics, run_logged
from .study import Study
from .trials import converged_trials


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
    with lock_folder(folder / 'test', 'evaluates on test') as lock:
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
    fullsup: dict[int, Any] = {}
    test = {}
    for trial in converged_trials(study):
        fullsup[trial.number] = trial.value
        if trial.number == kept['trial'] and not study.info['proxy']:
            test[trial.number] = kept['score']
            continue
        trained = study.trial_folder(trial.number)
        model = {
            'config': str((trained / 'config.py').relative_to(folder)),
            'checkpoint': study.checkpoint_of(trained),
            'val': trial.user_attrs['val'],
        }
        where = folder / 'analysis' / f'{trial.number:04d}'
        with lock_folder(where, 'evaluates this trial') as lock:
            metrics = _evaluate(study, where, model, test_script, launcher, lock)
        test[trial.number] = _score(metrics, metric, where)
        echo(f'trial {trial.number}: {trial.value:.4g} on train-fullsup, {test[trial.number]:.4g}')
    write_scores(fullsup, folder / 'analysis' / 'fullsup.csv')
    write_scores(test, folder / 'analysis' / 'test.csv')
    return kendall_tau(fullsup, test)


def _score(metrics: dict, metric: str, where: Path) -> float:
    if metric not in metrics:
        raise ValueError(f'{where}: the test has no {metric!r}, but {", ".join(sorted(metrics))}')
    return float(metrics[metric])
