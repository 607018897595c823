"""tools/collect_env.py, run as a command."""

import runpy
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import wsl_plugins

TOOL = Path(__file__).parents[2] / 'tools' / 'collect_env.py'


def test_collect_env_prints_the_stack():
    done = subprocess.run([sys.executable, str(TOOL)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(': ', 1) for line in done.stdout.splitlines() if ': ' in line)
    assert lines['wsl_plugins'] == wsl_plugins.__version__
    assert lines['NumPy'] == metadata.version('numpy')
    assert lines['mmcv'].endswith(
        wsl_plugins.stack.installed(wsl_plugins.stack.OPENMMLAB[1]).popitem()[1]
    )
    stand_in = wsl_plugins.ops.is_stand_in()
    assert lines['mmcv operators'] == ("torchvision's, by wsl_plugins" if stand_in else 'compiled')
    assert lines['OpenCV contrib'].split()[0] in ('present', 'missing')


@pytest.mark.parametrize(('word', 'status'), [('--help', 0), ('--bogus', 2)])
def test_help_and_unknown_options_print_no_versions(word, status, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', [str(TOOL), word])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(TOOL), run_name='__main__')
    assert ended.value.code == status and 'wsl_plugins:' not in capsys.readouterr().out
