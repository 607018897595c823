"""Files that once broke a reader, and a few hundred changed ones."""

import itertools
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import fuzz_cases
from fuzz_changes import mutate
from fuzz_readers import READERS, Reader

CRASHERS = sorted(fuzz_cases.CRASHERS.iterdir())
CASES = 15  # of each reader


@pytest.mark.parametrize('name', READERS)
def test_valid_files_are_read(tmp_path, name):
    folder = tmp_path / 'valid'
    folder.mkdir()
    READERS[name].make(folder)
    READERS[name].read(folder)


@pytest.mark.parametrize('path', CRASHERS, ids=lambda path: path.name)
def test_crashers(tmp_path, path):
    folder = tmp_path / 'case'
    name = fuzz_cases.place_crasher(path, folder)
    assert fuzz_cases.fault_of(name, folder) is None


@pytest.mark.parametrize('name', READERS)
def test_changed_files(tmp_path, name):
    folder = tmp_path / 'case'
    for number, path in itertools.islice(fuzz_cases.cases(name, folder, seed=0), CASES):
        assert fuzz_cases.fault_of(name, folder) is None, (number, path)


def test_same_seed_same_changes():
    content = b'1,2,3\n4,5,6\n' * 9
    for suffix in ('.txt', '.csv', '.bin'):
        found = [mutate(content, suffix, random.Random(n)) for n in (0, 0, *range(30))]
        assert found[0] == found[1] and len(set(found)) > 15


def test_faults_are_seen(tmp_path, monkeypatch):
    folder = tmp_path / 'case'
    folder.mkdir()

    def fails(error):
        def read(_):
            raise error

        return read

    for read, fault in (
        (fails(KeyError('a')), "KeyError: 'a'"),
        (fails(ValueError('bad')), 'no file is named: ValueError: bad'),
        (fails(ValueError(f'{folder}/a: {"x" * 30_000}')), 'a message of '),
        (fails(FileNotFoundError(f'{folder}/a: no such file')), None),
    ):
        monkeypatch.setitem(READERS, 'x', Reader(lambda _: None, read))
        found = fuzz_cases.fault_of('x', folder)
        assert found == fault if fault is None else fault in found
    for limit, unit in (('HANG', 'seconds'), ('MEMORY', 'MB')):
        with monkeypatch.context() as patch:
            patch.setattr(fuzz_cases, limit, -1)
            assert unit in fuzz_cases.fault_of('x', folder)


def test_a_reader_that_crashes_or_hangs_ends_alone(tmp_path, monkeypatch):
    import os
    import time

    def make(folder):
        (folder / 'a.txt').write_text('a')

    monkeypatch.setattr(fuzz_cases, 'HANG', 0.1)
    for read, status in ((lambda _: os._exit(3), 3), (lambda _: time.sleep(60), -9)):
        monkeypatch.setitem(READERS, 'x', Reader(make, read))
        found, _ = fuzz_cases.in_child('x', tmp_path / 'case', 0, 0.1, tmp_path / 'log')
        assert found == status
