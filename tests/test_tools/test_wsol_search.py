"""tools/wsol_search.py, as a command, with a training that takes no time."""

import io
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from optuna.trial import TrialState

from wsl_plugins.search import Study

TESTS = Path(__file__).parents[1]
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


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, 'what was waited for does not come'
        time.sleep(0.02)


def heed_interrupts():
    """A shell has its background jobs ignore SIGINT, and they pass that on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Workplace:
    """A folder with the tool beside a fake ``train.py`` and ``test.py``."""

    def __init__(self, root):
        self.root = root
        shutil.copytree(TESTS / 'test_search' / 'fake_tools', root / 'tools')
        shutil.copy(TESTS.parent / 'tools' / 'wsol_search.py', root / 'tools')
        (root / 'method.py').write_text(CONFIG)

    def start(self, *args, **kwargs):
        words = [sys.executable, 'tools/wsol_search.py', *map(str, args)]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            words,
            cwd=self.root,
            stdout=pipe,
            stderr=pipe,
            text=True,
            preexec_fn=heed_interrupts,
            **kwargs,
        )

    def run(self, *args):
        """Exit status, stdout and stderr of the tool, run in this process for speed."""
        before = sys.argv, os.getcwd(), signal.getsignal(signal.SIGTERM)
        out, err = io.StringIO(), io.StringIO()
        sys.argv = ['tools/wsol_search.py', *map(str, args)]
        os.chdir(self.root)
        try:
            with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as status:
                runpy.run_path('tools/wsol_search.py', run_name='__main__')
        finally:
            sys.argv = before[0]
            os.chdir(before[1])
            signal.signal(signal.SIGTERM, before[2])
        return status.value.code, out.getvalue(), err.getvalue()

    def good(self, *args):
        status, out, err = self.run(*args)
        assert status == 0, err
        return out

    @property
    def calls(self):
        path = self.root / 'calls.jsonl'
        lines = path.read_text().splitlines() if path.is_file() else []
        return [json.loads(line) for line in lines]

    def folders(self):
        return [Path(call['folder']).name for call in self.calls]

    def states(self):
        where = os.getcwd()
        os.chdir(self.root)
        try:
            return [trial.state for trial in Study.open('search').trials()]
        finally:
            os.chdir(where)


@pytest.fixture
def workplace(tmp_path):
    return Workplace(tmp_path)


RUN = ['run', 'method.py', '--work-dir', 'search', '--seed', 3]


def test_protocol(workplace):
    out = workplace.good(*RUN, '--trials', 4)
    assert 'CAM: 2 parameters: lr, score_map_size' in out
    assert '4 of 4 trials done: 3 converged, 1 not converged, 0 failed' in out
    error = 'search: the search is not closed: `close` comes before `test`'
    assert workplace.run('test', 'search') == (1, '', f'wsol_search: error: {error}\n')
    out = workplace.good('close', 'search')
    assert 'closed: trial 1, wsol/MaxBoxAccV2' in out and 'lr = 0.0' in out
    assert 'checkpoint: search/trials/0001/epoch_3.pth' in out
    first, second = (workplace.good('test', 'search') for _ in range(2))
    assert first.startswith('test of trial 1: wsol/MaxBoxAccV2 ')
    assert second == 'already evaluated; the kept result is:\n' + first
    assert len(workplace.calls) == 5
    out = workplace.good('analysis-test-all', 'search')
    assert "Kendall's tau between train-fullsup and test: -1.0000" in out
    assert len(workplace.calls) == 7
    out = workplace.good('report', 'search', '--baseline', 45)
    assert '| CAM | 4 | 0 | 0.25 |' in out and (workplace.root / 'report/report.png').is_file()
    assert out.startswith((workplace.root / 'report/report.md').read_text())
    assert len((workplace.root / 'report/scores_search.csv').read_text().splitlines()) == 4
    out = workplace.good(
        *['report', '--kendall', 'search/analysis/test.csv', 'report/scores_search.csv']
    )
    assert out == "Kendall's tau: -1.0000 over 3 trials\n"


def test_killed_search_is_resumed(workplace):
    """Killed with its training, then without: no trial is lost or done twice."""
    trials, hold = workplace.root / 'search/trials', workplace.root / 'hold'
    hold.write_text('2')  # trainings wait before their second epoch
    process = workplace.start(*RUN, '--trials', 3, start_new_session=True)
    wait_for(lambda: (trials / '0000/last_checkpoint').is_file())
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert workplace.states() == [TrialState.RUNNING]

    process = workplace.start(*RUN, '--trials', 3)
    wait_for(lambda: len(workplace.calls) == 2)
    process.kill()  # its training goes on
    process.communicate()
    process = workplace.start(*RUN, '--trials', 3)
    wait_for(lambda: len(workplace.calls) == 3)
    assert workplace.folders() == ['0000', '0000', '0001']  # not 0000 beside itself
    hold.unlink()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    if TrialState.RUNNING in workplace.states():  # the orphan took longer than the others
        assert 'trial 0 is open, last started by (host process): ' in out
        workplace.good(*RUN, '--trials', 3)
    assert workplace.states() == [TrialState.COMPLETE] * 3
    resumed = {call['folder'] for call in workplace.calls if call['resume']}
    assert resumed == {'search/trials/0000'}
    lrs = {(call['folder'], call['lr']) for call in workplace.calls}
    assert len(lrs) == 3  # the same setting every time
    for number in range(3):  # no epoch was lost or trained twice
        files = sorted((trials / f'{number:04d}').glob('*/vis_data/scalars.json'))
        text = ''.join(file.read_text() for file in files)
        steps = [json.loads(line)['step'] for line in text.splitlines() if 'wsol' in line]
        assert steps == [1, 2, 3]


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_stopped_search_ends_its_training(workplace, number):
    (workplace.root / 'hold').write_text('1')
    process = workplace.start(*RUN, '--trials', 2)
    wait_for(lambda: workplace.calls)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert stderr.endswith('stopped; the same command continues here\n')
    assert workplace.states() == [TrialState.RUNNING]
    with pytest.raises(ProcessLookupError):
        os.kill(workplace.calls[0]['pid'], 0)


def test_stopped_training_stops_the_search(workplace):
    (workplace.root / 'hold').write_text('1')
    process = workplace.start(*RUN, '--trials', 2)
    wait_for(lambda: workplace.calls)
    os.kill(workplace.calls[0]['pid'], signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 130 and workplace.states() == [TrialState.RUNNING]


def test_two_processes_share_the_trials(workplace):
    hold = workplace.root / 'hold'
    hold.write_text('1')
    both = [workplace.start(*RUN, '--trials', 8) for _ in range(2)]
    wait_for(lambda: len(workplace.calls) == 2)
    hold.unlink()
    outs = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], outs
    assert sorted(workplace.folders()) == [f'{n:04d}' for n in range(8)]
    assert len({call['lr'] for call in workplace.calls}) == 8
    assert workplace.states() == [TrialState.COMPLETE] * 8
    shares = [out.count('\ntrial ') for out, _ in outs]
    assert min(shares) >= 1 and '8 of 8 trials done' in outs[0][0] + outs[1][0]


def test_all_failed(workplace):
    options = ['--trials', 2, '--cfg-options', 'fake.fail_below=2.0']
    status, out, err = workplace.run(*RUN, *options)
    assert status == 1 and '2 of 2 trials done' in out
    error = 'all trials failed; the first: exit status 1, see search/trials/0000/log.txt'
    assert err == f'wsol_search: error: {error}\n'


@pytest.mark.parametrize(
    'args, message',
    [
        (['run', 'none.py', '--work-dir', 'search'], 'none.py: no such config'),
        (
            [*RUN, '--cfg-options', 'val_dataloader.dataset.split=test'],
            "val_dataloader must name the split 'train-fullsup' or 'val' in its data set, "
            "got ['test']",
        ),
        ([*RUN, '--space', 'none.json'], 'none.json: no such search space'),
        (['close', 'search'], 'search: no study there (no study.json)'),
        (['report'], 'report needs study folders, or --kendall A.csv B.csv'),
    ],
)
def test_bad_input(workplace, args, message):
    assert workplace.run(*args) == (1, '', f'wsol_search: error: {message}\n')
    assert not (workplace.root / 'search').exists()


def test_bad_input_as_a_command(workplace):
    process = workplace.start('close', 'search')
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, '')
    assert err == 'wsol_search: error: search: no study there (no study.json)\n'
