"""The command ``wsl-plugins``: its table, help without torch, scripts run as Python runs them."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import wsl_plugins_cli as cli

ROOT = Path(__file__).parents[1]
TOOLS = ROOT / 'tools'
OF_THE_CLONE = {
    'analysis/list_components.py',  # writes docs/components.md
    'launch.py',  # torchrun, for dist_train.sh and dist_test.sh
}
HEAVY = ('torch', 'mmcv', 'mmengine', 'numpy', 'wsl_plugins')
SCRIPT = """
import sys
from multiprocessing import get_context

import sibling


def double(number):
    return 2 * number


if __name__ == '__main__':
    print(sys.argv, sibling.HERE, __file__)
    with get_context('spawn').Pool(1) as pool:
        print(pool.map(double, [1, 2]))
    sys.exit(7)
"""


def call(*args, code='import wsl_plugins_cli as cli; cli.main()', **kwargs):
    command = [sys.executable, '-c', code, *map(str, args)]
    env = dict(os.environ, PYTHONPATH=f'{ROOT}{os.pathsep}{os.environ.get("PYTHONPATH", "")}')
    return subprocess.run(command, capture_output=True, text=True, env=env, **kwargs)


def is_command(path: Path) -> bool:
    """Whether it ends in ``if __name__ == '__main__'``."""
    last = ast.parse(path.read_text()).body[-1]
    return isinstance(last, ast.If) and '__main__' in ast.unparse(last.test)


def test_every_tool_is_a_command():
    commands = {p.relative_to(TOOLS).as_posix() for p in TOOLS.rglob('*.py') if is_command(p)}
    scripts = [script for script in cli.SCRIPTS.values() if script]
    assert commands - OF_THE_CLONE == set(scripts) and len(scripts) == len(set(scripts)) > 20
    shown = cli.overview()
    assert all(f'\n  {name} ' in shown for name in cli.SCRIPTS)
    assert max(map(len, shown.splitlines())) <= 100


@pytest.mark.parametrize('words', [(), ('--help',), ('--version',), ('trian',)])
def test_help_and_misspelled_commands_import_little(words):
    code = 'import sys, atexit, wsl_plugins_cli as cli\n'
    code += f'atexit.register(lambda: print([m for m in {HEAVY} if m in sys.modules]))\ncli.main()'
    done = call(*words, code=code)
    assert done.stdout.splitlines()[-1] == '[]'
    assert done.returncode == (2 if words == ('trian',) else 0)
    assert bool(done.stderr) == (words == ('trian',))


@pytest.mark.parametrize(
    ('word', 'like'),
    [
        ('trian', 'like it: train'),
        ('prepare_dataset', 'like it: prepare'),
        ('make-proposals', 'like it: proposals, convert-proposals'),
        ('wsol_search', 'like it: search'),
        ('xyzzy', '(wsl-plugins --help)'),
    ],
)
def test_unknown_commands(word, like, capsys):
    with pytest.raises(SystemExit) as error:
        cli.unknown(word)
    shown = capsys.readouterr()
    assert error.value.code == 2 and not shown.out and shown.err.count('\n') == 1
    assert shown.err.startswith(f'wsl-plugins: error: no command {word!r}') and like in shown.err


def test_help_of_a_tool_says_how_it_was_called(tmp_path):
    done = call('prepare', 'csv', '--help', cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith('usage: wsl-plugins prepare csv ')
    shown = call('prepare', '--help', cwd=tmp_path).stdout
    assert 'wsl-plugins prepare csv labels.csv' in shown and 'tools/' not in shown
    done = call('prepare', 'csv', cwd=tmp_path)
    assert done.returncode == 2 and 'wsl-plugins prepare csv: error: ' in done.stderr


def test_spelling(monkeypatch):
    text = 'python tools/analysis/model_cost.py, tools/train.py; tools/other.py, tools/dist_test.sh'
    monkeypatch.setattr(sys, 'argv', ['tools/report.py'])
    assert cli.spelled(text) == text
    monkeypatch.setattr(sys, 'argv', ['wsl-plugins report'])
    assert cli.spelled('/a/tools/train.py b/tools/train.py') == '/a/tools/train.py b/tools/train.py'
    assert cli.spelled(text) == (
        'wsl-plugins model-cost, wsl-plugins train; tools/other.py, tools/dist_test.sh'
    )


def test_a_script_runs_as_python_runs_it(tmp_path):
    """Arguments, ``__file__``, siblings, processes that it starts, exit status."""
    folder = tmp_path / 'with space'
    folder.mkdir()
    (folder / 'script.py').write_text(SCRIPT)
    (folder / 'sibling.py').write_text('HERE = 1')
    code = 'import sys; from pathlib import Path; import wsl_plugins_cli as cli\n'
    code += 'cli.run_script(Path(sys.argv[1]), "name", sys.argv[2:])'
    done = call(folder / 'script.py', 'a', '-b', code=code)
    assert done.stderr == '' and done.returncode == 7
    assert done.stdout.splitlines() == [f"['name', 'a', '-b'] 1 {folder}/script.py", '[2, 4]']


def test_a_package_without_tools_is_said_so(tmp_path):
    (tmp_path / 'wsl_plugins').mkdir()
    (tmp_path / 'wsl_plugins/__init__.py').touch()
    code = 'import sys, wsl_plugins_cli as cli\n'
    code += f'sys.path.insert(0, {str(tmp_path)!r}); cli.main()'
    done = call('env', code=code)
    assert done.returncode == 2
    assert done.stderr.count('\n') == 1 and 'has no tools' in done.stderr


@pytest.mark.parametrize(
    ('args', 'message'),
    [((), 'usage: wsl-plugins run SCRIPT ...'), (('no.py',), "no script 'no.py'")],
)
def test_run_needs_a_script(args, message):
    done = call('run', *args)
    assert done.returncode == 2 and done.stderr == f'wsl-plugins: error: {message}\n'


def test_run_imports_the_package_first(tmp_path):
    script = tmp_path / 'script.py'
    script.write_text("import sys; print('wsl_plugins' in sys.modules, sys.argv)")
    done = call('run', script, 'a')
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"True ['{script}', 'a']"


def test_module(tmp_path):
    done = subprocess.run(
        [sys.executable, '-m', 'wsl_plugins', '--help'],
        cwd=tmp_path,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
    )
    assert done.stdout == cli.overview() + '\n'


def test_the_table_of_the_documents():
    rows = [
        f'| `{name}` | {f"`{script}`" if script else ""} | {text} |\n'
        for commands in cli.COMMANDS.values()
        for name, (script, text) in commands.items()
    ]
    assert ''.join(rows) in (ROOT / 'docs/install.md').read_text()
