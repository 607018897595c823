"""Training and test runs as processes of their own, and what their logs say."""

import json
import math
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from wsl_plugins.files import file_errors, read_text

from .protocol import LOSS

Script = str | os.PathLike


class TrainingResult(NamedTuple):
    """Last validation of a run and the mean training loss over its last epoch."""

    score: float
    loss: float
    val: dict[str, Any]


def command(launcher: str | None, script: Script, args: Sequence[Any]) -> list[str]:
    """Command line of ``script`` with ``args``, behind the words of ``launcher``.

    ``torchrun`` (of this Python), ``srun`` and ``mpirun``/``mpiexec`` also give the script its
    ``--launcher``; any other words just stand before the command.

    Example:
        >>> command('torchrun --nproc_per_node=2', 'tools/train.py', ['c.py'])[1:]
        ['-m', 'torch.distributed.run', '--nproc_per_node=2', 'tools/train.py', 'c.py', \
'--launcher', 'pytorch']
    """
    words = shlex.split(launcher or '')
    script_args = [str(script), *map(str, args)]
    names = [Path(word).name for word in words]
    if 'torchrun' in names:
        at = names.index('torchrun')
        words[at : at + 1] = [sys.executable, '-m', 'torch.distributed.run']
        return [*words, *script_args, '--launcher', 'pytorch']
    for name, kind in (('srun', 'slurm'), ('mpirun', 'mpi'), ('mpiexec', 'mpi')):
        if name in names:
            return [*words, sys.executable, *script_args, '--launcher', kind]
    return [*words, sys.executable, *script_args]


def run_logged(words: list[str], log: Path, lock: IO) -> int:
    """Run a command, its output appended to ``log``; return its exit status.

    The process holds ``lock`` as well: should this one be killed, nobody takes over while the
    training still runs. When this process is interrupted or told to end, the other is ended first.

    Raises:
        KeyboardInterrupt: The command was stopped by an interrupt or a request to end.
        FileNotFoundError: There is no such program.
    """
    with open(log, 'ab') as file:
        file.write(f'$ {shlex.join(words)}\n'.encode())
        file.flush()
        process = subprocess.Popen(
            words, stdout=file, stderr=subprocess.STDOUT, pass_fds=[lock.fileno()]
        )
        try:
            status = process.wait()
        except BaseException:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            raise
    stops = (signal.SIGINT, signal.SIGTERM)
    if status in {-s for s in stops} | {128 + s for s in stops}:
        raise KeyboardInterrupt
    return status


def last_checkpoint(folder: Path) -> Path | None:
    """Checkpoint that mmengine saved last in a work folder; None without one."""
    note = folder / 'last_checkpoint'
    if not note.is_file():
        return None
    return folder / Path(note.read_text().strip()).name


def training_result(folder: Path, metric: str) -> TrainingResult:
    """Read the log (``*/vis_data/scalars.json``) of a finished training, resumed ones included.

    Raises:
        ValueError: The log has no validation with ``metric``, or no training loss.
    """
    logs = sorted(folder.glob('*/vis_data/scalars.json'))
    records = [record for path in logs for record in _read_records(path)]
    losses = [record[LOSS] for record in records if LOSS in record]
    # a validation has no learning rate, nor the loss of an epoch
    vals = [r for r in records if LOSS not in r and 'lr' not in r]
    if not losses or not vals:
        raise ValueError(
            f'{folder}/*/vis_data/scalars.json: no {"validation" if losses else "training"} '
            'recorded; the visualizer of the config needs a LocalVisBackend'
        )
    if metric not in vals[-1]:
        raise ValueError(
            f'{folder}: the last validation has no {metric!r}, but {", ".join(sorted(vals[-1]))}'
        )
    with file_errors(folder, 'log of a training'):
        return TrainingResult(float(vals[-1][metric]), float(losses[-1]), vals[-1])


def _read_records(path: Path) -> list[dict[str, Any]]:
    """Records of a log, one per line; half a line at its end is of a run that was killed."""
    records = []
    lines = read_text(path).splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError(f'a {type(record).__name__}')
            records.append(record)
        except (ValueError, RecursionError) as error:
            if number < len(lines) or line.endswith('\n'):
                raise ValueError(f'{path}: line {number} is no record: {error}') from error
    return records


def read_test_metrics(folder: Path) -> dict[str, Any] | None:
    """Metrics of the latest test run in a work folder (``TIMESTAMP/TIMESTAMP.json``), or None."""
    files = [f for f in sorted(folder.glob('*/*.json')) if f.stem == f.parent.name]
    records = [record for path in files for record in _read_records(path)]
    return records[-1] if records else None


def is_converged(loss: float, limit: float = 2.0) -> bool:
    """Whether a training converged: loss of the last epoch finite, not above 2.0 (section 5.4)."""
    return math.isfinite(loss) and loss <= limit
