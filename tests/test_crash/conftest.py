"""Commands that are killed at random moments and started again."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Shell:
    """Runs the tools in forks of one process, see ``fork_server.py``."""

    def __init__(self, folder):
        env = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '-1'}
        self.folder = folder
        self.root = ROOT
        folder.mkdir()
        self.log = folder / 'log.txt'
        self.server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name('fork_server.py'))],
            env={**env, 'PYTHONPATH': str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.server.stdout.readline() == '{}\n'

    def run(self, tool, *args, kill_after=None, cwd=None, tools=ROOT / 'tools'):
        """Exit status (-9 if killed) and seconds of ``TOOLS/TOOL.py ARGS``."""
        self.log.unlink(missing_ok=True)
        job = dict(
            argv=[str(tools / f'{tool}.py'), *map(str, args)],
            cwd=str(cwd or self.folder),
            log=str(self.log),
            kill_after=kill_after,
        )
        print(json.dumps(job), file=self.server.stdin, flush=True)
        answer = json.loads(self.server.stdout.readline())
        return answer['status'], answer['seconds']

    def good(self, tool, *args, **kwargs):
        """Seconds of a run that must end well."""
        status, seconds = self.run(tool, *args, **kwargs)
        assert status == 0, self.log.read_text()[-3000:]
        return seconds

    def close(self):
        self.server.stdin.close()
        self.server.wait(timeout=60)


@pytest.fixture(scope='session')
def shell(tmp_path_factory):
    shell = Shell(tmp_path_factory.mktemp('crash') / 'with space')
    yield shell
    shell.close()


@pytest.fixture(scope='session')
def moments():
    """Function: one random moment in each of ``count`` equal parts of a run of ``seconds``."""

    def draw(count, seconds, begin=0.03, end=0.97):
        generator = random.Random(0)
        parts = [(part + generator.random()) / count for part in range(count)]
        return [seconds * (begin + (end - begin) * part) for part in parts]

    return draw
