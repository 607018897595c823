"""The page of benchmarks: its writer on scripts that print a table, and all benchmarks, small."""

import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / 'benchmarks'
GOOD = """
import os, sys
print('Could not import OneDL. Skipping OneDL datasets.')
print(os.environ['SETTING'], os.environ['CUDA_VISIBLE_DEVICES'], end='\\n\\n')
print('| R | ms |\\n|---|----|\\n| 1 | 2  |')
print('a warning', file=sys.stderr)
"""
MACHINE = [['processor', 'a CPU'], ['cores', '2']]


@pytest.fixture
def page(monkeypatch):
    """The module ``benchmarks/page.py``, as the command finds its neighbours."""
    monkeypatch.syspath_prepend(FOLDER)
    yield importlib.import_module('page')
    for name in ('page', 'catalogue'):
        sys.modules.pop(name, None)


@pytest.fixture
def scripts(page, tmp_path, monkeypatch):
    """Function that writes a script and gives its benchmark; the page's repository is a folder of
    its own."""
    monkeypatch.setattr(page, 'ROOT', tmp_path)
    monkeypatch.setenv('SETTING', 'small')

    def write(name, text, before='', options=' --size 3'):
        (tmp_path / name).write_text(text)
        command = f'{before}python {name}{options}'
        return page.Benchmark(name.removesuffix('.py').title(), 'A against B.', command, '--size 1')

    return write


def run_main(page, monkeypatch, benchmarks, *args):
    monkeypatch.setattr(page, 'BENCHMARKS', benchmarks)
    monkeypatch.setattr(page, 'machine', lambda: MACHINE)
    monkeypatch.setattr(sys, 'argv', ['page.py', *map(str, args)])
    return page.main()


def test_page(page, scripts, monkeypatch, tmp_path, capsys):
    out = tmp_path / 'new' / 'page.md'
    benchmarks = [scripts('first.py', GOOD), scripts('second.py', GOOD, 'SETTING=big ')]
    assert run_main(page, monkeypatch, benchmarks, '--out', out) == 0
    table = '| R | ms |\n|---|----|\n| 1 | 2  |'
    expected = f"""| | |
| --- | --- |
| processor | a CPU |
| cores | 2 |

## First

A against B.

small -1

{table}

```bash
python first.py --size 3
```

## Second

A against B.

big -1

{table}

```bash
SETTING=big python second.py --size 3
```
"""
    assert out.read_text() == page.HEAD + expected
    printed = capsys.readouterr()
    assert printed.out == f'{out}\n'
    assert re.fullmatch(r'First: \d+ s\nSecond: \d+ s\n', printed.err)


def test_failures_are_named_and_the_page_stays(page, scripts, monkeypatch, tmp_path, capsys):
    out = tmp_path / 'page.md'
    out.write_text('old')
    failing = 'import sys\n' + GOOD + "sys.exit('no such thing')"
    benchmarks = [
        scripts('breaks.py', failing),
        scripts('good.py', GOOD),
        scripts('silent.py', 'print("| a | b |")'),
        scripts('heading.py', 'print("| a |\\n|---|")'),
    ]
    assert run_main(page, monkeypatch, benchmarks, '--out', out) == 1
    error = capsys.readouterr().err
    assert 'page: error: 3 of 4 failed\n' in error
    assert 'Breaks: python breaks.py --size 3: status 1\na warning\nno such thing\n' in error
    assert 'Silent: python silent.py --size 3: no table was printed' in error
    assert 'Heading: python heading.py --size 3: no table was printed' in error
    assert 'Good: python' not in error
    assert out.read_text() == 'old'
    assert not [path for path in tmp_path.iterdir() if path.suffix == '.tmp']


def test_output_that_is_a_folder_ends_before_the_benchmarks(
    page, scripts, monkeypatch, tmp_path, capsys
):
    benchmarks = [scripts('good.py', "open('ran', 'w')\n" + GOOD)]
    assert run_main(page, monkeypatch, benchmarks, '--out', tmp_path) == 1
    assert capsys.readouterr().err == f'page: error: {tmp_path} is a folder\n'
    assert not (tmp_path / 'ran').exists()


def test_quick_takes_the_other_arguments(page, scripts, monkeypatch, tmp_path):
    out = tmp_path / 'page.md'
    benchmark = scripts('good.py', GOOD, 'SETTING=big ')
    assert run_main(page, monkeypatch, [benchmark], '--out', out, '--quick') == 0
    assert 'big -1\n' in out.read_text()
    assert '```bash\nSETTING=big python good.py --size 1\n```' in out.read_text()


def test_machine_names_no_host_and_no_folder(page, monkeypatch):
    monkeypatch.setattr('platform.node', lambda: 'a-host')
    monkeypatch.setattr('socket.gethostname', lambda: 'a-host')
    rows = dict(page.machine())
    assert list(rows) == ['processor', 'cores', 'threads of a training step', 'system', 'versions']
    assert int(rows['cores']) >= 1 and int(rows['threads of a training step']) >= 1
    for name in ('wsl_plugins', 'torch', 'torchvision', 'numpy', 'mmengine', 'mmcv', 'mmdet'):
        assert re.search(rf'\b{name} \d+\.\d+', rows['versions']), name
    text = str(rows)
    assert str(ROOT) not in text and str(Path.home()) not in text and 'a-host' not in text


def test_catalogue(page):
    """Scripts are there, titles differ, notes hold no numbers that a run would outdate."""
    assert len({benchmark.title for benchmark in page.BENCHMARKS}) == len(page.BENCHMARKS) >= 9
    for benchmark in page.BENCHMARKS:
        words = shlex.split(benchmark.command)
        script = words[words.index('python') + 1]
        assert (ROOT / script).is_file(), script
        assert page.quick(benchmark).command.split('.py')[0] == benchmark.command.split('.py')[0]
        plain = re.sub(r'`[^`]+`|\]\([^)]+\)', '', benchmark.note)
        assert benchmark.note.endswith('.') and not re.search(r'\d+(\.\d+)? *(x|times|%|ms)', plain)


@pytest.mark.slow
def test_all_benchmarks_small(tmp_path):
    """Minutes: each in a process of its own."""
    out = tmp_path / 'page.md'
    done = subprocess.run(
        [sys.executable, FOLDER / 'page.py', '--quick', '--out', out],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    text = out.read_text()
    assert 'OneDL' not in text and str(tmp_path) not in text and str(ROOT) not in text
    sections = text.split('\n## ')[1:]
    assert len(sections) == len(re.findall(r': \d+ s$', done.stderr, re.MULTILINE)) >= 9
    for section in sections:
        numbers = re.findall(r'^\|.*\d.*\|$', section, re.MULTILINE)
        assert numbers and 'nan' not in section and '```bash\n' in section, section
