"""The script behind ``make compat``: which environments, what counts as failed, nothing left."""

import re
import runpy
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
MAKE = ['make', '--no-print-directory', '-n', 'setup']


@pytest.fixture
def compat():
    return runpy.run_path(str(ROOT / '.ci/compat.py'))


def test_rows(compat, tmp_path):
    names = [f'{path.stem}:{version}' for path, version in compat['rows']([])]
    assert {'oldest:3.10', 'original:3.10', 'pins:3.13', 'newest:3.14'} <= set(names)
    assert [v for _, v in compat['rows'](['newest', 'pins:3.13'])] == ['3.13', '3.14', '3.13']
    with pytest.raises(ValueError, match=r"'pins:3.9' is none of them: .*pins:3.13"):
        list(compat['rows'](['pins:3.9']))
    (tmp_path / 'a.txt').write_text('torch\n')
    with pytest.raises(ValueError, match='a.txt: the first line names no Python version'):
        list(compat['rows']([], tmp_path))


def test_files_follow_the_pins(compat):
    """What the pins' own files list is in every environment, by reference or by name."""
    for path, _ in compat['rows']([]):
        text = path.read_text()
        assert compat['LAST'] in text.splitlines()[1] and 'opencv' in text.splitlines()[1]
        names = set(re.findall(r'^([a-z-]+)', text, re.MULTILINE))
        for name in re.findall(r'^-r (.+)', text, re.MULTILINE):
            assert (path.parent / name).is_file()
            names |= set(re.findall(r'^([a-z-]+)', (path.parent / name).read_text(), re.MULTILINE))
        needed = {'torch', 'torchvision', 'numpy', 'scipy', 'pytest', 'hypothesis', 'optuna'}
        assert needed | {'tqdm'} <= names, path


def test_pins_are_for_every_python():
    """What is installed here in the pinned version takes every Python that its marker lets in."""
    seen, wrong = set(), []
    for path in sorted((ROOT / 'requirements').glob('*.txt')):
        lines = [line for line in path.read_text().splitlines() if line and line[0] not in '#-']
        for need in map(Requirement, lines):
            try:
                found = metadata.metadata(need.name)
            except metadata.PackageNotFoundError:  # of another environment
                continue
            if str(need.specifier) != f'=={found["Version"]}':
                continue
            seen.add(need.name)
            takes = SpecifierSet(found.get('Requires-Python', ''))
            for python in ('3.10', '3.11', '3.12', '3.13', '3.14'):
                here = need.marker is None or need.marker.evaluate({'python_version': python})
                if here and not takes.contains(f'{python}.99'):
                    wrong.append(f'{path.name}: {need} on {python}')
    assert not wrong and len(seen) > 10, (wrong, seen)


def test_a_step_that_fails(compat, monkeypatch, tmp_path, capsys):
    seen = []

    class Broken(compat['Environment']):
        def build(self, python, requirements):
            seen.append(self.folder)
            self.run(sys.executable, '-m', 'venv', '--without-pip', self.folder)
            self.run(self.python, '-c', 'print("built")')

        def versions(self):
            return dict.fromkeys(('torch torchvision mmengine mmcv mmdet mmpretrain '
                                  'numpy cv2').split(), '1.0')  # fmt: skip

    row_of = compat['row_of']
    monkeypatch.setitem(row_of.__globals__, 'Environment', Broken)
    monkeypatch.setitem(row_of.__globals__, 'LOGS', tmp_path)
    monkeypatch.setitem(row_of.__globals__, 'find_python', lambda version: sys.executable)
    row = row_of(Path('some.txt'), '3.11')
    assert row[:2] == ['some', '3.11'] and row[-4] == 'yes'
    assert row[-3].startswith('failed: ') and 'pytest' in row[-3]  # there is none in it
    assert row[-2:] == ['failed', '']  # nor the demo's libraries
    assert 'built' in (tmp_path / 'some-3.11.log').read_text()
    assert 'some-3.11.log' in capsys.readouterr().err
    assert not seen[0].exists()
    monkeypatch.setitem(row_of.__globals__, 'find_python', lambda version: None)
    assert row_of(Path('some.txt'), '3.99')[2] == 'no such Python here'


@pytest.mark.parametrize(
    ('printed', 'numbers'),
    [
        ('..\n2 passed, 5 deselected, 3 warnings in 9.65s (0:15:23)', '2 passed'),
        (
            'F\n1 failed, 2 passed, 1 skipped, 1 error in 1s',
            '1 failed, 2 passed, 1 skipped, 1 error',
        ),
        ('Segmentation fault', 'failed: Segmentation fault'),
        ('', 'failed: nothing was printed'),
    ],
)
def test_counts(compat, printed, numbers):
    assert compat['counts'](printed) == numbers


def test_every_third_test(compat):
    options = ('--collect-only', '--every', '3', __file__)
    command = [sys.executable, *compat['PYTEST'], *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    chosen, total, left = map(int, re.findall(r'\d+', done.stdout.splitlines()[-1])[:3])
    assert chosen == len(range(0, total, 3)) and left == total - chosen > 5, done.stdout
    assert done.stdout.count('::') == chosen


@pytest.fixture
def pythons(tmp_path):
    """Put commands on an otherwise almost empty path that answer as Pythons do."""

    def put(**names):
        for tool in ('make', 'bash', 'sh', 'true'):
            found = subprocess.run(['which', tool], capture_output=True, text=True).stdout.strip()
            (tmp_path / tool).symlink_to(found)
        for name, works in names.items():
            command = tmp_path / name.replace('_', '.')
            command.write_text(f'#!/bin/sh\nexit {0 if works else 127}\n')
            command.chmod(0o755)
        done = subprocess.run(
            [*MAKE, 'VENV=none'],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env=dict(PATH=str(tmp_path)),
        )
        assert done.returncode == 0, done.stderr
        return re.search(r'^(\S+) -m venv none$', done.stdout, re.MULTILINE)[1]

    return put


@pytest.mark.parametrize(
    ('names', 'taken'),
    [
        (dict(python3_13=True, python3=True), 'python3.13'),
        (dict(python3_13=False, python3_12=True, python3_11=True), 'python3.12'),  # as of pyenv
        (dict(python3_9=True, python3=True), 'python3'),
    ],
)
def test_make_takes_the_newest_python_that_runs(pythons, names, taken):
    assert pythons(**names) == taken
