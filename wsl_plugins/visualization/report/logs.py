"""What mmengine's Runner leaves in a work folder: configs, records of trainings and tests."""

import json
import re
from pathlib import Path
from typing import NamedTuple

from .tables import Table, class_tables

Record = dict[str, float]

_STAMP = re.compile(r'\d{8}_\d{6}')


class Folder(NamedTuple):
    """A work folder of the Runner with all its runs.

    Attributes:
        name (str): Path below the reported folder, or its own name.
        started (list[str]): ``YYYYMMDD_HHMMSS`` of each run, oldest first.
        config (str): Text of the newest run's config; empty if it is not there.
        train (list[Record]): Records of the training: losses, learning rates and so on, at the
            iteration ``step``.
        val (list[Record]): Records of the validations; ``step`` is the epoch, or the iteration
            in trainings that know no epochs.
        test (Record): Metrics of the newest test run; empty without one.
        tables (list[Table]): The last table per class of each kind.
    """

    name: str
    started: list[str]
    config: str
    train: list[Record]
    val: list[Record]
    test: Record
    tables: list[Table]


def read_folders(work_dir: Path, notes: list[str]) -> list[Folder]:
    """All work folders of the Runner in ``work_dir``, itself included, by name.

    Args:
        work_dir (Path): Folder to search.
        notes (list[str]): What could not be read is appended to it.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It holds no run.

    Example:
        >>> folders = read_folders(Path('work_dirs/demo'), notes := [])
    """
    if not work_dir.is_dir():
        raise FileNotFoundError(f'{work_dir}: no such folder')
    runs: dict[Path, list[Path]] = {}
    for path in sorted(work_dir.rglob('*')):
        if path.is_dir() and _STAMP.fullmatch(path.name):
            runs.setdefault(path.parent, []).append(path)
    if not runs:
        raise ValueError(f'{work_dir}: no run (a folder YYYYMMDD_HHMMSS of tools/train.py) in it')
    return [_folder(work_dir, parent, own, notes) for parent, own in sorted(runs.items())]


def _folder(work_dir: Path, parent: Path, runs: list[Path], notes: list[str]) -> Folder:
    name = work_dir.resolve().name if parent == work_dir else str(parent.relative_to(work_dir))
    records, tests, trained = [], [], False
    tables: dict[tuple, Table] = {}
    for run in runs:
        records.append(_read_records(run / 'vis_data' / 'scalars.json', {'step'}, notes))
        tests += _read_records(run / f'{run.name}.json', set(), notes)
        log = run / f'{run.name}.log'
        if log.is_file():
            text = log.read_text(encoding='utf-8', errors='replace')
            trained = trained or '(train)' in text
            tables |= {tuple(table.head): table for table in class_tables(text, str(log), notes)}
    if trained and not any(records):  # recorded by TensorBoard or another service only
        notes.append(
            f'{name}: losses and validations of its training, which no vis_data/scalars.json has; '
            "with dict(type='LocalVisBackend') among visualizer.vis_backends they are shown"
        )
    configs = [path for run in runs if (path := run / 'vis_data' / 'config.py').is_file()]
    if len(tests) > 1:
        notes.append(f'{name}: {len(tests) - 1} older test results are not shown')
    return Folder(
        name,
        [run.name for run in runs],
        configs[-1].read_text(encoding='utf-8', errors='replace') if configs else '',
        *join_records(records),
        tests[-1] if tests else {},
        list(tables.values()),
    )


def _read_records(path: Path, needed: set[str], notes: list[str]) -> list[Record]:
    """The records of a file, one per line: the numbers of each, which has the ``needed`` ones."""
    if not path.is_file():
        return []
    records, broken = [], 0
    for line in path.read_text(encoding='utf-8', errors='replace').splitlines():
        try:
            content = json.loads(line)
            record = {k: v for k, v in content.items() if _is_number(v)}
        except (ValueError, AttributeError, RecursionError):
            record = {}
        if record and record.keys() >= needed:
            records.append(record)
        else:
            broken += 1
    if broken:
        notes.append(f'{path}: {broken} lines are no records (an interrupted run?)')
    return records


def _is_number(value: object) -> bool:
    """Whole numbers too large for a float would end the drawing of a curve."""
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < 1e15)


def join_records(runs: list[list[Record]]) -> tuple[list[Record], list[Record]]:
    """Records of training and of validation of the runs in a folder, oldest run first.

    A run that resumes, or starts anew, takes the place of what older ones recorded from its first
    iteration on.

    Example:
        >>> join_records([[dict(iter=5, epoch=1, step=5), dict(mAP=.1, step=1)],
        ...               [dict(iter=10, epoch=2, step=10), dict(mAP=.2, step=2)]])[1]
        [{'mAP': 0.1, 'step': 1}, {'mAP': 0.2, 'step': 2}]
    """
    train: list[Record] = []
    val: list[Record] = []
    for records in runs:
        own = [record for record in records if 'iter' in record]
        if own:
            begin = own[0]
            train = [r for r in train if r['step'] < begin['step']]
            val = [r for r in val if r['step'] < begin.get('epoch', begin['step'])]
        train += own
        val += [record for record in records if 'iter' not in record]
    return train, val
