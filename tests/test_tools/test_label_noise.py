"""The study of wrong boxes as a command: every method, one share, one epoch."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_study(tmp_path):
    subprocess.run(
        [sys.executable, 'tools/make_wsol_demo.py', '--out', tmp_path / 'data', '--train', '4']
        + ['--fullsup', '1', '--test', '2', '--objects', '1', '3', '--train-boxes'],
        cwd=ROOT,
        check=True,
    )
    command = [sys.executable, 'tools/analysis/label_noise.py', '--wrong', '0.25', '--seeds', '3']
    command += ['--epochs', '1', '--jobs', '2', '--data', tmp_path / 'data']
    command += ['--work-dir', tmp_path / 'work']
    env = dict(os.environ, OMP_NUM_THREADS='1')
    run = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    rows = list(csv.reader((tmp_path / 'work' / 'label_noise.csv').open()))
    assert rows[0] == ['wrong boxes', 'top 25%', 'any 25%']
    assert [row[0] for row in rows[1:]] == [
        'SCR',
        'BCD',
        'BCD + WE eta 1',
        'BCD eta',
        'BCD + entropy',
        'BCD + WE',
    ]
    assert rows[1][2] == '-'  # a regressor has one box
    for _, top, several in rows[2:]:
        assert 0 <= float(top) <= float(several) <= 100
    assert (tmp_path / 'work' / 'label_noise.png').read_bytes().startswith(b'\x89PNG')
    again = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert again.stdout.splitlines()[-8:] == run.stdout.splitlines()[-8:]
    assert 'Epoch' not in again.stdout
