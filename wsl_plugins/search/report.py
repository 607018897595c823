"""Tables over studies, and rankings compared: Choe et al., CVPR 2020, sections 5.4, B.3, B.4."""

import csv
import io
import os
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from optuna.trial import TrialState
from scipy.stats import kendalltau

from wsl_plugins.files import file_errors, read_json, read_text, short
from wsl_plugins.files.writing import atomic_write

from .study import Study
from .trials import converged_trials, setting_text


@dataclass
class Summary:
    """What a report tells about one study.

    Attributes:
        label (str): Method, or folder where studies share the method.
        metric (str): Metric of the scores, on train-fullsup.
        trials, failed (int): Trials of the study; those whose run failed.
        scores (dict[int, float]): Scores of the converged trials, by number.
        not_converged (dict[int, float]): Scores of the others that were trained to the end.
        best (dict | None): Parameters of the best converged trial.
        test (float | None): Score of the chosen model on test, once evaluated.
        ratio (float): Non-convergent trials over those trained to the end; NaN without any.
        mean, sigma (float): Of the converged scores (``numpy.std``, over n); NaN without any.
    """

    label: str
    metric: str
    trials: int
    failed: int
    scores: dict[int, float]
    not_converged: dict[int, float]
    best: dict | None
    test: float | None
    ratio: float = field(init=False)
    mean: float = field(init=False)
    sigma: float = field(init=False)

    def __post_init__(self) -> None:
        done = len(self.scores) + len(self.not_converged)
        self.ratio = len(self.not_converged) / done if done else float('nan')
        values = list(self.scores.values()) or [float('nan')]
        self.mean, self.sigma = float(np.mean(values)), float(np.std(values))

    @property
    def best_score(self) -> float | None:
        return max(self.scores.values(), default=None)


def summarise(folder: str | os.PathLike) -> Summary:
    """Summary of the study in a folder.

    Raises:
        FileNotFoundError: The folder has no study.
    """
    study = Study.open(folder)
    converged = converged_trials(study)
    scores: dict[int, Any] = {trial.number: trial.value for trial in converged}
    done: dict[int, Any] = {
        trial.number: trial.value for trial in study.trials(TrialState.COMPLETE)
    }
    best = max(converged, key=attrgetter('value'), default=None)
    test = study.folder / 'test.json'
    return Summary(
        label=study.info['method'],
        metric=study.info['metric'],
        trials=len(study.trials()),
        failed=len(study.trials(TrialState.FAIL)),
        scores=scores,
        not_converged={n: score for n, score in done.items() if n not in scores},
        best=None if best is None else best.params,
        test=read_json(test)['score'] if test.is_file() else None,
    )


def summarise_all(folders: list[str]) -> list[Summary]:
    """Summaries in the order given; folder names tell studies of the same method apart.

    Raises:
        FileNotFoundError: A folder has no study.
        ValueError: The studies have different metrics; two folders have one name.
    """
    names = [Path(folder).resolve().name for folder in folders]
    if len(set(names)) < len(names):
        raise ValueError(f'two folders of the report have the same name: {", ".join(names)}')
    summaries = [summarise(folder) for folder in folders]
    metrics = {summary.metric for summary in summaries}
    if len(metrics) > 1:
        raise ValueError(f'the studies have different metrics: {", ".join(sorted(metrics))}')
    labels = [summary.label for summary in summaries]
    for summary, name in zip(summaries, names, strict=True):
        if labels.count(summary.label) > 1:
            summary.label = f'{summary.label} ({name})'
    return summaries


HEADER = (
    'method',
    'trials',
    'failed',
    'non-convergent ratio',
    'mean',
    'sigma',
    'best on train-fullsup',
    'test',
    'best parameters',
)


def table_rows(summaries: list[Summary]) -> list[list[str]]:
    """A row of text per study, fields as in ``HEADER``; ``-`` for what is not known."""

    def text(value: float | None) -> str:
        return '-' if value is None or np.isnan(value) else f'{value:.4g}'

    return [
        [
            s.label,
            str(s.trials),
            str(s.failed),
            text(s.ratio),
            text(s.mean),
            text(s.sigma),
            text(s.best_score),
            text(s.test),
            setting_text(s.best or {}) or '-',
        ]
        for s in summaries
    ]


def markdown(summaries: list[Summary]) -> str:
    """The table, for a document."""
    rows = [HEADER, ['---'] * len(HEADER), *table_rows(summaries)]
    return ''.join(f'| {" | ".join(row)} |\n' for row in rows)


def write_csv(rows: list, path: Path) -> None:
    text = io.StringIO(newline='')
    csv.writer(text, lineterminator='\n').writerows(rows)
    with atomic_write(path) as file:
        file.write(text.getvalue().encode())


def write_scores(scores: dict[int, float], path: Path) -> None:
    """Write a score file: columns ``trial`` and ``score``."""
    write_csv([('trial', 'score'), *sorted(scores.items())], path)


def read_scores(path: str | os.PathLike) -> dict[int, float]:
    """Scores by trial, from a score file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A column is missing, a value is no number, a trial stands twice.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such score file')
    with file_errors(path, 'CSV file'):
        rows = list(csv.DictReader(io.StringIO(read_text(path))))
    scores: dict[int, float] = {}
    for line, row in enumerate(rows, start=2):
        try:
            trial, score = int(row['trial']), float(row['score'])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f'{path}, line {line}: needs the columns trial and score, got {short(row)}'
            ) from error
        if trial in scores:
            raise ValueError(f'{path}, line {line}: trial {trial} stands twice')
        scores[trial] = score
    return scores


def kendall_tau(a: dict[int, float], b: dict[int, float]) -> float:
    """Kendall's tau-b between the scores of the trials that both have; 1: the same ranking.

    Raises:
        ValueError: They share fewer than two trials.

    Example:
        >>> kendall_tau({0: 10, 1: 20, 2: 30}, {0: 1, 1: 2, 2: 3})
        1.0
    """
    shared = sorted(a.keys() & b.keys())
    if len(shared) < 2:
        raise ValueError(f"Kendall's tau needs two trials that both have, got {len(shared)}")
    return float(kendalltau([a[n] for n in shared], [b[n] for n in shared]).statistic)
