"""Ctrl-C and SIGTERM: one line, a status, no traceback; the command of the line goes on."""

import importlib.util
import os
import re
import runpy
import shlex
import signal
import socket
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = runpy.run_path(str(Path(__file__).with_name('test_train_test.py')))['CONFIG']
FIXED = dict(OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='-1', PYTHONPATH=str(ROOT))
SPEC = importlib.util.spec_from_file_location('interrupts', ROOT / 'tools' / 'interrupts.py')


@pytest.fixture
def interrupts():
    module = importlib.util.module_from_spec(SPEC)
    SPEC.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp('interrupts') / 'with space'
    make = [sys.executable, ROOT / 'tools/make_demo_dataset.py', home / 'data', '--size', '64']
    subprocess.run([*make, '--train', '6', '--test', '4'], check=True, capture_output=True)
    text = CONFIG.format(data=str(home / 'data')).replace('num_workers=0', 'num_workers=1')
    (home / 'tiny.py').write_text(text)
    return home


class Run:
    """A command in a process group of its own, as a shell starts it."""

    def __init__(self, words, home, **env):
        def heed():  # a shell has its background jobs ignore SIGINT, and they pass that on
            signal.signal(signal.SIGINT, signal.SIG_DFL)

        self.process = subprocess.Popen(
            list(map(str, words)),
            cwd=home,
            env={**os.environ, **FIXED, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=heed,
        )

    def until(self, words):
        """Read until a line has the words."""
        read = ''
        for line in self.process.stdout:
            read += line
            if words in line:
                return
        raise AssertionError(read[-3000:])

    def until_it_listens(self):
        """Until the signals are taken over: SIGTERM is among those that are caught."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            status = Path(f'/proc/{self.process.pid}/status').read_text()
            if int(re.search(r'SigCgt:\s*(\w+)', status)[1], 16) >> (signal.SIGTERM - 1) & 1:
                return
            time.sleep(0.005)
        raise AssertionError('the signals are not taken over')

    def end(self, number, group=True):
        """Send the signal; status and the rest of the output."""
        (os.killpg if group else os.kill)(self.process.pid, number)
        output, _ = self.process.communicate(timeout=120)
        end = time.monotonic() + 20
        while time.monotonic() < end:  # nobody else of the group is there
            try:
                os.killpg(self.process.pid, 0)
            except ProcessLookupError:
                break
            time.sleep(0.05)
        else:
            raise AssertionError('processes are left')
        assert 'Traceback' not in output and 'Error' not in output, output
        return self.process.returncode, output


def train(home, work_dir, *more, **env):
    words = [sys.executable, ROOT / 'tools/train.py', 'tiny.py', '--work-dir', work_dir, *more]
    return Run(words, home, **env)


def test_while_it_imports(home):
    run = train(home, 'early')
    run.until_it_listens()
    status, output = run.end(signal.SIGINT)
    assert status == 130
    (line,) = output.splitlines()
    words = shlex.join([sys.executable, f'{ROOT}/tools/train.py', 'tiny.py', '--work-dir', 'early'])
    assert line == f'stopped; to start again: {words}'
    assert not (home / 'early').exists()


def test_the_command_of_the_line_goes_on(home):
    """In the second epoch of a training with a loading process; then by SIGTERM, at once."""
    run = train(home, 'some where', '--cfg-options', 'train_cfg.max_epochs=6')
    run.until('Epoch(train) [2][2/3]')
    status, output = run.end(signal.SIGINT)
    line = output.splitlines()[-1]
    assert status == 130
    epoch = re.match(r'stopped after \d of 6 epochs, saved is epoch_(\d)\.pth; ', line)[1]
    command = line.partition('; to continue: ')[2]
    assert command.endswith(
        " --work-dir 'some where' --cfg-options train_cfg.max_epochs=6 --resume"
    )
    run = Run(['bash', '-c', f'exec {command}'], home)
    run.until(f'resumed epoch: {epoch}, iter')
    run.until('INFO - training')
    status, output = run.end(signal.SIGTERM, group=False)
    assert status == 143
    assert output.splitlines()[-1].endswith(f': {command}')
    run = Run(['bash', '-c', command], home)
    run.until('resumed epoch: ')
    output, _ = run.process.communicate(timeout=120)
    assert run.process.returncode == 0 and 'Epoch(train) [6][3/3]' in output
    assert (home / 'some where' / 'epoch_6.pth').is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    ('words', 'number'),
    [
        ('Saving checkpoint at 1', signal.SIGTERM),
        ('training', signal.SIGINT),
        ('[1][1/3]', signal.SIGTERM),
    ],
)
def test_at_other_moments(home, words, number):
    run = train(home, f'{words[:4]}{number}', '--cfg-options', 'train_cfg.max_epochs=3')
    run.until(words)
    status, output = run.end(number)
    assert status == 128 + number
    assert sum(line.startswith('stopped after ') for line in output.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize('words', ['[1][2/2]', 'Saving checkpoint at 2'])
def test_two_processes(home, words):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
    script = [ROOT / 'tools/dist_train.sh', 'tiny.py', 2, '--work-dir', f'two {words[:4]}']
    run = Run(script, home, PATH=path, PORT=port)
    run.until(words)
    status, output = run.end(signal.SIGINT)
    assert status == 130
    (line,) = [line for line in output.splitlines() if line.startswith('stopped')]
    resumes = ' --resume' if 'to continue' in line else ''
    shown = shlex.join(map(str, script))
    assert line.endswith(f': PORT={port} {shown}{resumes}')


def test_test_command(home):
    run = Run([sys.executable, ROOT / 'tools/test.py', 'tiny.py', '--work-dir', 'tested'], home)
    run.until_it_listens()
    status, output = run.end(signal.SIGINT)
    assert status == 130 and output.startswith('stopped; to start again: ')


@pytest.mark.parametrize(
    'argv, own, resume, expected',
    [
        (['python', 'tools/train.py'], ['a b.py'], True, "python tools/train.py 'a b.py' --resume"),
        (['python', 't.py'], ['a.py', '--resume'], True, 'python t.py a.py --resume'),
        (
            ['python', 't.py'],
            ['--resume', 'c.pth', 'a.py'],
            False,
            'python t.py --resume c.pth a.py',
        ),
        (['python', 't.py'], ['a.py', '--resume', 'c.pth'], True, 'python t.py a.py --resume'),
        (['python', 't.py'], ['a.py', '--resume=c.pth'], True, 'python t.py a.py --resume'),
        (
            ['/x/python', '/x/wsl-plugins', 'train'],
            ['a.py'],
            True,
            'wsl-plugins train a.py --resume',
        ),
        (
            ['python', '-m', 'wsl_plugins', 'train'],
            ['a.py'],
            False,
            'python -m wsl_plugins train a.py',
        ),
    ],
)
def test_command(interrupts, monkeypatch, argv, own, resume, expected):
    monkeypatch.delenv(interrupts.LAUNCHED, raising=False)
    monkeypatch.setattr(sys, 'orig_argv', argv + own)
    name = 'wsl-plugins train' if 'train' in argv else argv[-1]
    monkeypatch.setattr(sys, 'argv', [name, *own])
    assert interrupts.command(resume) == expected
    monkeypatch.setenv(interrupts.LAUNCHED, "PORT=1 dist_train.sh 'a b.py' 2 --resume c.pth")
    assert interrupts.command(True) == "PORT=1 dist_train.sh 'a b.py' 2 --resume"


LOST = """
import os, signal, sys
sys.path.insert(0, {tools!r})
import interrupts
interrupts.install()
class Finaliser:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
        for _ in range(100):
            pass
with interrupts.watched():
    Finaliser()
    print('still here', flush=True)
    interrupts.check()
    print('too far', flush=True)
"""


def test_an_interrupt_that_is_lost(tmp_path):
    """Python drops what a finaliser raises, and would print a traceback."""
    (tmp_path / 'lost.py').write_text(LOST.format(tools=str(ROOT / 'tools')))
    process = Run([sys.executable, 'lost.py'], tmp_path).process
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    told = f'stopped; to start again: {sys.executable} lost.py'
    assert output.splitlines() == [told, 'still here']


def test_nothing_holds_the_training_at_the_end(interrupts):
    """torch leaves the group of processes well only when no model is left that has it."""

    def train():
        run = Run.__new__(Run)
        interrupts.tell(lambda: f'stopped {type(run).__name__}', lambda: None)
        return weakref.ref(run)

    run = train()
    assert run() is not None
    interrupts.settle()
    assert run() is None and interrupts._line() == 'stopped Run'


LATE = """
import atexit, sys, time
sys.path.insert(0, {tools!r})
import interrupts
interrupts.install()
atexit.register(time.sleep, 60)
with interrupts.watched():
    pass
print('done', flush=True)
"""


def test_while_the_interpreter_ends(tmp_path):
    (tmp_path / 'late.py').write_text(LATE.format(tools=str(ROOT / 'tools')))
    run = Run([sys.executable, 'late.py'], tmp_path)
    run.until('done')
    time.sleep(0.2)
    status, output = run.end(signal.SIGINT)
    assert status == -signal.SIGINT and output == ''


SHARED = """
import multiprocessing, os, socket, sys, time
sys.path.insert(0, {tools!r})
import interrupts
from multiprocessing import resource_sharer
interrupts.install()
def share():
    resource_sharer.DupFd(1)
    with socket.socket(socket.AF_UNIX) as parent:
        parent.connect(resource_sharer._resource_sharer._address)
    time.sleep(0.5)
    sys.excepthook(ValueError, ValueError('of its own'), None)
process = multiprocessing.get_context('fork').Process(target=share)
process.start()
process.join()
"""


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='forks')
def test_a_worker_whose_parent_stops_receiving(tmp_path):
    (tmp_path / 'shared.py').write_text(SHARED.format(tools=str(ROOT / 'tools')))
    process = Run([sys.executable, 'shared.py'], tmp_path).process
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and output == 'ValueError: of its own\n'


def test_ignored_signals_stay_ignored(interrupts, monkeypatch):
    """Of ``nohup`` and of background jobs."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        interrupts.install()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) == interrupts._handle
        with interrupts.watched():
            pass
        assert signal.getsignal(signal.SIGTERM) == before[signal.SIGTERM]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
