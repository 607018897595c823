"""What all tests of files share."""

import importlib.util
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / 'tools'


@pytest.fixture
def tool(monkeypatch, capsys):
    """``main`` of a tool in this process: exit status, output."""
    monkeypatch.syspath_prepend(str(TOOLS))

    def run(name, *args):
        spec = importlib.util.spec_from_file_location(name, TOOLS / f'{name}.py')
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setattr(sys, 'argv', [name, *map(str, args)])
        code = module.main()
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run
