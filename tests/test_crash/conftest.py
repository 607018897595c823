"""Commands that are killed at random moments and started again."""

import os
import random
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Shell:
    """Runs the tools by ``forks``, on one thread."""

    def __init__(self, forks, folder):
        self.forks, self.folder, self.root = forks, folder, ROOT
        folder.mkdir()
        self.log = folder / 'log.txt'

    def run(self, tool, *args, kill_after=None, cwd=None, tools=ROOT / 'tools'):
        """Exit status (-9 if killed) and seconds of ``TOOLS/TOOL.py ARGS``."""
        self.log.unlink(missing_ok=True)
        env = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '-1'}
        where = dict(cwd=cwd or self.folder, out=self.log, err=self.log, env=env)
        return self.forks.answer(tools / f'{tool}.py', *args, kill_after=kill_after, **where)

    def good(self, tool, *args, **kwargs):
        """Seconds of a run that must end well."""
        status, seconds = self.run(tool, *args, **kwargs)
        assert status == 0, self.log.read_text()[-3000:]
        return seconds


@pytest.fixture(scope='session')
def shell(forks, tmp_path_factory):
    return Shell(forks, tmp_path_factory.mktemp('crash') / 'with space')


@pytest.fixture(scope='session')
def moments():
    """Function: one random moment in each of ``count`` equal parts of a run of ``seconds``."""

    def draw(count, seconds, begin=0.03, end=0.97):
        generator = random.Random(0)
        parts = [(part + generator.random()) / count for part in range(count)]
        return [seconds * (begin + (end - begin) * part) for part in parts]

    return draw
