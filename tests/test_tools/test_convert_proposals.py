"""tools/convert_proposals.py, run as a command."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wsl_plugins.proposals import ProposalFile

TOOL = Path(__file__).parents[2] / 'tools' / 'convert_proposals.py'


@pytest.fixture
def run(forks):
    """The tool in a fork, which imports nothing."""

    def run(*args):
        done = forks.run(TOOL, *args)
        assert 'Traceback' not in done.stderr
        return done

    return run


class Payload:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_there_and_back(run, tmp_path):
    # columns 0 to 19 and rows 0 to 9, last pixel included; twice
    data = {'boxes': [np.array([[0, 0, 19, 9]] * 2), np.array([[2, 2, 3, 3]])], 'indexes': [12, 17]}
    (tmp_path / 'p.pkl').write_bytes(pickle.dumps(data))
    (tmp_path / 'ids.txt').write_text('000017\n000012\n')
    ids = ['--ids-file', tmp_path / 'ids.txt']
    words = [sys.executable, TOOL, tmp_path / 'p.pkl', '--out', tmp_path / 'p.npz', *ids]
    first = subprocess.run(words, capture_output=True, text=True)
    assert first.returncode == 0, first.stderr
    assert '2 boxes of 2 images' in first.stdout and 'dropped repeated: 1 boxes' in first.stdout
    ours = ProposalFile.load(tmp_path / 'p.npz')
    assert ours.ids.tolist() == ['000017', '000012']
    assert ours.boxes_of('000012').tolist() == [[0, 0, 20, 10]]
    options = ['--to', 'mmdet', '--image-parent', 'train', '--image-suffix', '.png']
    assert run(tmp_path / 'p.npz', '--out', tmp_path / 'm.pkl', *options).returncode == 0
    mmdet = pickle.loads((tmp_path / 'm.pkl').read_bytes())
    assert list(mmdet) == ['train/000017.png', 'train/000012.png']
    assert mmdet['train/000012.png']['bboxes'].tolist() == [[0, 0, 20, 10]]
    assert run(tmp_path / 'm.pkl', '--out', tmp_path / 'b.npz').returncode == 0
    assert ProposalFile.load(tmp_path / 'b.npz').boxes_of('000017').tolist() == [[2, 2, 4, 4]]


def test_errors_are_one_line_and_leave_nothing(run, tmp_path):
    marker, evil, out = tmp_path / 'marker', tmp_path / 'evil.pkl', tmp_path / 'p.npz'
    evil.write_bytes(pickle.dumps(Payload(f"touch '{marker}'")))
    refused = run(evil, '--out', out)
    assert refused.returncode == 1 and 'evil.pkl: not read: refused' in refused.stderr
    assert 'posix.system' in refused.stderr and not marker.exists()
    evil.write_bytes(pickle.dumps({'boxes': [[]], 'indexes': ['a']}))
    (tmp_path / 'ids.txt').write_text('b\n')
    missing = run(evil, '--out', out, '--ids-file', tmp_path / 'ids.txt')
    assert missing.returncode == 1 and "no proposals for image 'b'" in missing.stderr
    suffix = run(evil, '--out', out, '--to', 'mmdet')
    assert suffix.returncode == 2 and '--out must end in .pkl or .pickle' in suffix.stderr
    assert not out.exists()
