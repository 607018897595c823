"""tools/wsol_search.py killed at random moments: the same trials, scores and choice."""

import json
import os
import shutil
import subprocess

import pytest
from optuna.trial import TrialState

from wsl_plugins.files.locks import JournalLock
from wsl_plugins.search import Study
from wsl_plugins.search.runs import read_test_metrics, training_result

TRIALS = 5
CONFIG = """
data = dict(type='wsl_plugins.WSOLDataset', proxy=False)
model = dict(backbone=dict(type='wsl_plugins.LocalizerResNet', score_map_size=14))
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
train_cfg = dict(by_epoch=True)
train_dataloader = dict(dataset=dict(split='train-weaksup', **data))
val_dataloader = dict(dataset=dict(split='train-fullsup', **data))
test_dataloader = dict(dataset=dict(split='test', **data))
val_evaluator = test_evaluator = [dict(type='wsl_plugins.MaxBoxAcc')]
fake = dict(calls='calls.jsonl', epochs=3, fail_below=0.0)
"""


def workplace(shell, name):
    """A folder with the tool beside a ``train.py`` that takes no time."""
    folder = shell.folder / name
    shutil.copytree(shell.root / 'tests' / 'test_search' / 'fake_tools', folder / 'tools')
    shutil.copy(shell.root / 'tools' / 'wsol_search.py', folder / 'tools')
    (folder / 'method.py').write_text(CONFIG)
    return folder


RUN = ['wsol_search', 'run', 'method.py', '--work-dir', 'search', '--trials', 4, '--seed', 3]


def go(shell, folder, *args, **kwargs):
    return shell.run(*args, cwd=folder, tools=folder / 'tools', **kwargs)


def good(shell, folder, *args):
    status, seconds = go(shell, folder, *args)
    assert status == 0, shell.log.read_text()[-3000:]
    return seconds


def result_of(folder, monkeypatch):
    """Trials, choice and test of a finished search."""
    monkeypatch.chdir(folder)
    trials = [
        (t.number, t.params, t.value, t.user_attrs, t.state) for t in Study.open('search').trials()
    ]
    return trials, [json.loads((folder / 'search' / f).read_text()) for f in FILES]


FILES = ('closed.json', 'test.json')


def assert_nothing_is_torn(folder):
    for path in folder.glob('search/*.json'):
        json.loads(path.read_text())
    for line in (folder / 'search' / 'trials.journal').read_text().splitlines():
        json.loads(line)


def finish(shell, folder):
    for command in (RUN, ['wsol_search', 'close', 'search'], ['wsol_search', 'test', 'search']):
        good(shell, folder, *command)


@pytest.fixture(scope='module')
def whole(shell):
    """Folder and seconds (of ``run``) of an undisturbed search."""
    folder = workplace(shell, 'search_whole')
    seconds = good(shell, folder, *RUN)
    finish(shell, folder)
    return folder, seconds


@pytest.mark.slow
@pytest.mark.parametrize('trial', range(TRIALS))
def test_killed(whole, shell, moments, monkeypatch, trial):
    folder = workplace(shell, f'search_{trial}')
    status, _ = go(shell, folder, *RUN, kill_after=moments(TRIALS, whole[1])[trial])
    assert status in (-9, 0)
    if (folder / 'search' / 'trials.journal').exists():
        assert_nothing_is_torn(folder)
    finish(shell, folder)
    expected, got = (result_of(f, monkeypatch) for f in (whole[0], folder))
    assert got == expected
    assert len(got[0]) == 4 and {t[-1] for t in got[0]} == {TrialState.COMPLETE}


def test_half_a_line_at_the_end_of_a_log(tmp_path):
    """What a killed training leaves; half a line inside a log is an error."""
    log = tmp_path / '20260101_000000' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    good = '{"lr": 1, "epoch_loss": 2, "step": 1}\n{"m": 30, "step": 1}\n'
    log.write_text(good + '{"lr": 1, "epo')
    assert training_result(tmp_path, 'm').score == 30
    log.write_text('{"lr": 1, "epo\n' + good)
    with pytest.raises(ValueError, match=r'scalars\.json: line 1 is no record'):
        training_result(tmp_path, 'm')
    tested = tmp_path / '20260101_000000' / '20260101_000000.json'
    tested.write_text('{"m": 1')
    assert read_test_metrics(tmp_path) is None
    tested.write_text('{"m": 1}\n')
    assert read_test_metrics(tmp_path) == {'m': 1}


def test_lock_of_the_journal_ends_with_its_process(tmp_path, monkeypatch):
    """Optuna's own lock, a link beside the journal, stays: with a relative path for ever."""
    monkeypatch.chdir(tmp_path)
    holder = subprocess.Popen(
        ['flock', 'a.flock', 'sh', '-c', 'echo held; exec sleep 60'],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert holder.stdout.readline() == 'held\n'
    os.killpg(holder.pid, 9)
    holder.wait()
    lock = JournalLock(tmp_path / 'a.flock')
    assert lock.acquire()
    taken = subprocess.run(['flock', '--nonblock', 'a.flock', 'true']).returncode
    lock.release()
    free = subprocess.run(['flock', '--nonblock', 'a.flock', 'true']).returncode
    assert (taken, free) == (1, 0)
