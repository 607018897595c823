"""Run the trials of a study."""

import copy
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from optuna.trial import FrozenTrial, TrialState

from .parameters import Parameter, apply, draw
from .protocol import training_config, write_config
from .runs import command, is_converged, last_checkpoint, run_logged, training_result
from .study import Claim, Study


def run_trials(
    study: Study,
    cfg: dict,
    space: tuple[Parameter, ...],
    train_script: str | os.PathLike,
    launcher: str | None = None,
    timeout: float | None = None,
    echo: Callable[[str], None] = print,
) -> None:
    """Run trials until the study has them all; those that a dead process left come first.

    Each is a run of ``train_script`` in its own process: a failing one is a failed trial, and the
    next follows. An interrupted one stays open: the same command continues it later from its last
    checkpoint, with the same setting.

    Args:
        study (Study): From :func:`start_study`.
        cfg (dict): The method's whole config.
        space (tuple[Parameter, ...]): Search space.
        train_script (str | os.PathLike): ``tools/train.py``.
        launcher (str | None): Words before the command, see :func:`command`. Default: None.
        timeout (float | None): Start no trial after so many seconds. Default: None.
        echo (Callable): Takes the lines of the progress. Default: print.

    Raises:
        ValueError: A training leaves no score.
        KeyboardInterrupt: Interrupted.
    """
    base = training_config(cfg, study.info['proxy'])
    start = time.monotonic()
    while timeout is None or time.monotonic() - start < timeout:
        claim = study.claim()
        if claim is None:
            break
        with claim.lock:
            _run_trial(study, claim, base, space, train_script, launcher)
        echo(trial_line(study.trials()[claim.trial.number], study.info['metric']))


def _run_trial(
    study: Study,
    claim: Claim,
    base: dict,
    space: tuple[Parameter, ...],
    train_script: str | os.PathLike,
    launcher: str | None,
) -> None:
    trial, folder = claim.trial, claim.folder
    log, config = folder / 'log.txt', folder / 'config.py'
    cfg = copy.deepcopy(base)
    apply(cfg, space, draw(trial, space))
    write_config(cfg, config)
    status = train(config, folder, train_script, launcher, claim.lock)
    if status:
        trial.set_user_attr('error', f'exit status {status}, see {log}')
        study.storage.tell(trial, state=TrialState.FAIL)
        return
    result = training_result(folder, study.info['metric'])
    trial.set_user_attr('loss', result.loss)
    trial.set_user_attr('val', result.val)
    if result.score != result.score:
        trial.set_user_attr('error', f'{study.info["metric"]} is NaN, see {log}')
        study.storage.tell(trial, state=TrialState.FAIL)
    else:
        study.storage.tell(trial, result.score)


def train(
    config: Path, folder: Path, script: str | os.PathLike, launcher: str | None, lock: IO
) -> int:
    """Train in ``folder``, from its last checkpoint if it has one; return the exit status."""
    resume = ['--resume'] if last_checkpoint(folder) else []
    words = command(launcher, script, [config, '--work-dir', folder, *resume])
    return run_logged(words, folder / 'log.txt', lock)


def setting_text(params: dict) -> str:
    return ' '.join(
        f'{name}={value:.4g}' if isinstance(value, float) else f'{name}={value}'
        for name, value in params.items()
    )


def trial_line(trial: FrozenTrial, metric: str) -> str:
    """One line about a finished trial."""
    setting = setting_text(trial.params)
    if trial.state is TrialState.FAIL:
        return f'trial {trial.number}: failed ({trial.user_attrs["error"]}): {setting}'
    loss = trial.user_attrs['loss']
    note = '' if is_converged(loss) else ', not converged'
    return f'trial {trial.number}: {metric} {trial.value:.4g}, loss {loss:.4g}{note}: {setting}'


def converged_trials(study: Study) -> list[FrozenTrial]:
    """Trials with a score whose training converged, by number."""
    done = study.trials(TrialState.COMPLETE)
    return [trial for trial in done if is_converged(trial.user_attrs['loss'])]


def status_line(study: Study) -> str:
    """Counts of the trials, one line."""
    done, failed = (len(study.trials(s)) for s in (TrialState.COMPLETE, TrialState.FAIL))
    good = len(converged_trials(study))
    return (
        f'{done + failed} of {study.info["trials"]} trials done: '
        f'{good} converged, {done - good} not converged, {failed} failed'
    )


def open_trials(study: Study) -> list[str]:
    """One line for each trial that was started and has no result: who started it last."""
    lines = []
    for trial in study.trials(TrialState.RUNNING):
        lock = study.trial_folder(trial.number) / 'lock'
        who = lock.read_text().strip() if lock.is_file() else '-'
        lines.append(f'trial {trial.number} is open, last started by (host process): {who}')
    return lines
