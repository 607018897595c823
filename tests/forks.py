"""Runs scripts in forks of one process that has imported everything: a start takes no time.

``python forks.py`` reads one JSON object per line: ``argv`` (script and arguments), ``cwd``,
``env``, ``out`` and ``err`` (files to append to) and ``kill_after`` (seconds, or null). Each script
is run in a process group of its own, which is killed (SIGKILL) after that time. Answers with one
line each: ``status`` (exit status; -9 if killed) and ``seconds``.
"""

import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = (
    'wsl_plugins.datasets.transforms',
    'wsl_plugins.engine.hooks',
    'wsl_plugins.evaluation.metrics',
    'wsl_plugins.models',
    'wsl_plugins.pseudo_boxes.extract',
    'wsl_plugins.search.figure',
    'mmdet.datasets',
    'mmdet.models',
    'mmdet.visualization',
    'mmpretrain.datasets',
    'mmpretrain.models',
    'setuptools',
    'torch._dynamo',
)


class Forks:
    """The process, from outside. ``folder`` is for the files of its scripts' outputs."""

    def __init__(self, folder):
        self.folder = folder
        env = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '-1'}
        self.server = subprocess.Popen(
            [sys.executable, __file__],
            env={**env, 'PYTHONPATH': str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.server.stdout.readline() == '{}\n'

    def answer(self, *argv, cwd, out, err, env=None, kill_after=None):
        """Exit status (-9 if killed) and seconds of a script with these arguments."""
        env = dict(os.environ if env is None else env)
        job = dict(argv=[*map(str, argv)], cwd=str(cwd), env=env, out=str(out), err=str(err))
        job['kill_after'] = kill_after
        print(json.dumps(job), file=self.server.stdin, flush=True)
        answer = json.loads(self.server.stdout.readline())
        return answer['status'], answer['seconds']

    def run(self, *argv, cwd=ROOT, env=None, together=False):
        """As ``subprocess.run([sys.executable, *argv], capture_output=True, text=True)``;
        ``together``: stderr is a part of stdout."""
        out, err = self.folder / 'out.txt', self.folder / 'err.txt'
        for path in (out, err):
            path.write_text('')
        status, _ = self.answer(*argv, cwd=cwd, out=out, err=out if together else err, env=env)
        return subprocess.CompletedProcess(argv, status, out.read_text(), err.read_text())

    def close(self):
        self.server.stdin.close()
        self.server.wait(timeout=60)


def run_script(job: dict) -> None:
    """The child: as ``python SCRIPT ...``, but for the end of Python, which takes seconds."""
    os.setsid()
    for name, stream in (('out', 1), ('err', 2)):
        os.dup2(os.open(job[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    os.chdir(job['cwd'])
    os.environ.clear()
    os.environ.update(job['env'])
    sys.argv, sys.orig_argv = job['argv'], [sys.executable, *job['argv']]
    sys.path[:0] = [str(Path(job['argv'][0]).parent), *job['env'].get('PYTHONPATH', '').split(':')]
    importlib.import_module('numpy').random.seed()  # else all forks draw the same numbers
    status = 0
    try:
        runpy.run_path(job['argv'][0], run_name='__main__')
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1 if end.code else 0
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def kill_group(pid: int) -> None:
    """End the process and all that it started."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:  # all over, or not yet a group of its own
        os.kill(pid, signal.SIGKILL)


def main() -> None:
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # whatever a library prints is no answer
    for package in PACKAGES:
        importlib.import_module(package)
    print('{}', file=answers, flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        start = time.monotonic()
        pid = os.fork()
        if pid == 0:
            run_script(job)
        limit = start + (600 if job['kill_after'] is None else job['kill_after'])
        done = 0
        while not done and time.monotonic() < limit:
            time.sleep(0.002)
            done, status = os.waitpid(pid, os.WNOHANG)
        seconds = time.monotonic() - start
        if not done:
            kill_group(pid)
            _, status = os.waitpid(pid, 0)
        else:
            try:  # what the script left running
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        answer = dict(status=os.waitstatus_to_exitcode(status), seconds=seconds)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == '__main__':
    main()
