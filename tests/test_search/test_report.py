"""Numbers, files and figure of a report."""

import csv
import itertools
import math

import cv2
import numpy as np
import pytest

from wsl_plugins.search.figure import draw_report
from wsl_plugins.search.report import (
    HEADER,
    Summary,
    kendall_tau,
    markdown,
    read_scores,
    summarise,
    summarise_all,
    table_rows,
    write_csv,
    write_scores,
)


def summary(scores, not_converged=(), **fields):
    fields = dict(label='CAM', metric='m', trials=9, failed=1, best=None, test=None) | fields
    return Summary(
        scores=dict(enumerate(scores)), not_converged=dict(enumerate(not_converged, 50)), **fields
    )


def test_statistics_by_hand():
    one = summary([40.0, 50.0, 60.0], [10.0])
    assert one.ratio == 0.25 and one.mean == 50
    assert one.sigma == pytest.approx(math.sqrt(200 / 3))
    assert one.best_score == 60
    none = summary([], [10.0, 20.0])
    assert none.ratio == 1 and math.isnan(none.mean) and none.best_score is None
    assert math.isnan(summary([]).ratio)


def test_summary_of_a_search(search):
    search.run(trials=8, fake=dict(fail_below=1e-4))
    lrs = [call['lr'] for call in search.calls]
    good = {n: 52 + 10 * math.log10(lr) for n, lr in enumerate(lrs) if 1e-4 <= lr <= 0.1}
    bad = {n: 52 + 10 * math.log10(lr) for n, lr in enumerate(lrs) if lr > 0.1}
    assert good and bad and len(good) + len(bad) < 8
    result = summarise(search.folder)
    assert result.scores == pytest.approx(good) and result.not_converged == pytest.approx(bad)
    assert result.failed == 8 - len(good) - len(bad) and result.trials == 8
    assert result.ratio == pytest.approx(len(bad) / (len(good) + len(bad)))
    assert result.best['lr'] == max(lr for lr in lrs if lr <= 0.1)
    assert result.label == 'CAM' and result.test is None
    (search.folder / 'test.json').write_text('{"score": 12.5}')
    assert summarise(search.folder).test == 12.5


def test_studies_of_one_method_are_told_apart(search):
    search.run(trials=1)
    first, search.folder = search.folder, search.root / 'second'
    search.run(trials=1)
    labels = [s.label for s in summarise_all([str(first), str(search.folder)])]
    assert labels == ['CAM (search)', 'CAM (second)']
    with pytest.raises(ValueError, match='the same name'):
        summarise_all([str(first), str(first)])
    search.folder = search.root / 'third'
    search.run(timeout=0, metric='wsol/PxAP')
    with pytest.raises(ValueError, match='different metrics: wsol/MaxBoxAccV2, wsol/PxAP'):
        summarise_all([str(first), str(search.folder)])


def test_table(tmp_path):
    best = dict(lr=0.00123456, score_map_size=28, act='ReLU')
    summaries = [summary([40.0, 50.0], [10.0], best=best, test=44.4), summary([], label='HaS')]
    first = ['CAM', '9', '1', '0.3333', '45', '5', '50', '44.4']
    first.append('lr=0.001235 score_map_size=28 act=ReLU')
    second = ['HaS', '9', '1', *'------']
    assert table_rows(summaries) == [first, second]
    lines = markdown(summaries).splitlines()
    assert lines[0] == '| ' + ' | '.join(HEADER) + ' |' and lines[2].startswith('| CAM | 9 | 1 |')
    write_csv([HEADER, *table_rows(summaries)], tmp_path / 'report.csv')
    with open(tmp_path / 'report.csv', newline='') as file:
        assert list(csv.reader(file)) == [list(HEADER), first, second]


def slow_tau(a, b):
    """Tau-b from its definition."""
    pairs = list(itertools.combinations(a, 2))
    signs = [(np.sign(a[i] - a[j]), np.sign(b[i] - b[j])) for i, j in pairs]
    one, two = (sum(sign[k] != 0 for sign in signs) for k in (0, 1))
    return sum(x * y for x, y in signs) / math.sqrt(one * two)


def test_kendall_tau():
    a = {3: 10.0, 5: 20.0, 7: 30.0, 9: 40.0}
    assert kendall_tau(a, {3: 1, 5: 2, 7: 4, 9: 3}) == pytest.approx((5 - 1) / 6)
    assert kendall_tau(a, {9: 1, 7: 2, 5: 3, 3: 4, 11: 0}) == -1  # 11 is in one only
    rng = np.random.default_rng(0)
    a, b = ({n: float(x) for n, x in enumerate(rng.integers(0, 5, 12))} for _ in range(2))
    assert kendall_tau(a, b) == pytest.approx(slow_tau(a, b))
    with pytest.raises(ValueError, match='got 1'):
        kendall_tau({1: 1, 2: 2}, {2: 1, 3: 1})


def test_score_files(tmp_path):
    path = tmp_path / 'a.csv'
    write_scores({12: 0.1 + 0.2, 3: 50.0}, path)
    assert path.read_text() == 'trial,score\n3,50.0\n12,0.30000000000000004\n'
    assert read_scores(path) == {3: 50.0, 12: 0.1 + 0.2}
    for text in ('trial,value\n1,2\n', 'trial,score\nx,2\n', 'trial,score\n1\n'):
        path.write_text(text)
        with pytest.raises(ValueError, match='a.csv, line 2: needs the columns'):
            read_scores(path)
    path.write_text('trial,score\n1,2\n1,3\n')
    with pytest.raises(ValueError, match='line 3: trial 1 stands twice'):
        read_scores(path)
    with pytest.raises(FileNotFoundError, match='none.csv'):
        read_scores(tmp_path / 'none.csv')


def test_figure(tmp_path):
    summaries = [
        summary(np.linspace(40, 60, 9), [20.0]),
        summary([50.0], label='one'),
        summary([50.0, 50.0], label='equal'),
        summary([], [10.0], label='none converged'),
        summary([], label='empty'),
    ]
    draw_report(summaries, tmp_path / 'plain.png')
    draw_report(summaries, tmp_path / 'line.png', baseline=45.0)
    plain, line = (cv2.imread(str(tmp_path / f'{name}.png')) for name in ('plain', 'line'))
    assert plain.shape == line.shape and min(plain.shape[:2]) > 500
    red = (line[..., 2] > 180) & (line[..., 0] < 60)
    rows = red.sum(axis=1)
    assert rows.max() > 0.3 * line.shape[1]  # a dashed line from side to side
    assert ((plain[..., 2] > 180) & (plain[..., 0] < 60)).sum() == 0
