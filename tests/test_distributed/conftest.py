"""Runs ``worker.py`` once per set of jobs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WORKER = Path(__file__).with_name('worker.py')


@pytest.fixture(scope='session')
def run_worker():
    """Function: exit status and output of ``worker.py FOLDER JOBS WORLDS METHODS``."""

    def run(folder, jobs, worlds, methods=()):
        words = [folder, ','.join(jobs), ','.join(map(str, worlds)), ','.join(methods)]
        done = subprocess.run(
            [sys.executable, str(WORKER), *map(str, words)],
            env={**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '-1'},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1800,
        )
        return done.returncode, done.stdout

    return run


@pytest.fixture(scope='session')
def quick(run_worker, tmp_path_factory):
    """Folder with the metrics, and the gradients of one method per family."""
    folder = tmp_path_factory.mktemp('quick')
    methods = ('pcl', 'spg', 'psol_joint', 'wend_fcos')
    status, output = run_worker(folder, ('metrics', 'gradients'), (1, 2, 4), methods)
    assert status == 0, output[-3000:]
    return folder
