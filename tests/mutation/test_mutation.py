"""Which changes are made, and that they are made where the tests look."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from mutants import mutants
from targets import TARGETS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    'source, expected',
    [
        ('x = a + 1', ['a + 1 -> a - 1', '1 -> 2', '1 -> 0']),
        ('x = -a < b', ['-a < b -> -a <= b', '-a -> a']),
        ('x = a is None and 0.5', ['a is None and 0.5 -> a is None or 0.5',
                                   'a is None -> a is not None', '0.5 -> 1.0']),
        ('x = a[1:]', ['1: -> :', '1 -> 2', '1 -> 0']),
        ('x = a.sum(dim=b)', ['a.sum(dim=b) -> a.mean(dim=b)', 'a.sum(dim=b) -> a.sum()',
                              'a.sum(dim=b) -> a']),
        ('x = np.min(a)', ['np.min(a) -> np.max(a)']),
        ('x = [b for b in a if b]', ['for b in a if b -> for b in a']),
        ('while a:\n  a -= b\n  break', ['while a: -> while not a:', 'a -= b -> a += b',
                                         'a -= b -> pass', 'break -> pass']),
        ('if a:\n  raise ValueError(f"{a} is 1")', ['if a: -> if not a:',
                                                    "raise ValueError(f'{a} is 1') -> pass"]),
        ('@torch.no_grad()\ndef f():\n  return a', ['torch.no_grad() -> nothing',
                                                    'return a -> return None']),
        ('@M.register_module()\nclass A(B):\n  """Text."""\n  b: int | None = None', []),
        ('a[0] = "b"\na["c"] = True', ["a[0] = 'b' -> pass", '0 -> 1', '0 -> -1', "'b' -> 'b?'",
                                       "a['c'] = True -> pass", "'c' -> 'c?'", 'True -> False']),
        ('x = a.to(b.device).cpu()', []),
        ('from a import b\n__all__ = ["b"]', []),
    ],
)  # fmt: skip
def test_changes(source, expected):
    found = mutants(source)
    assert [mutant.what for mutant in found] == expected
    codes = {mutant.code for mutant in found}
    assert len(codes) == len(found) and ast.unparse(ast.parse(source)) not in codes
    for mutant in found:
        compile(mutant.code, 'mutant', 'exec')
        assert 1 <= mutant.line <= source.count('\n') + 1


def test_files_and_tests_are_there():
    assert len({Path(file).stem for file in TARGETS}) == len(TARGETS)
    for file, tests in TARGETS.items():
        assert (ROOT / file).is_file(), file
        for test in tests.split():
            assert (ROOT / 'tests' / f'{test}.py').is_file(), test


def run(*args):
    command = [sys.executable, 'tests/mutation', *args]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_unknown_file():
    done = run('nms')
    assert done.returncode == 2 and 'no such file: nms; there are base, oicr_sampler' in done.stderr


@pytest.mark.slow
def test_command():
    """Only changes that a GPU would notice survive, those of the autocast."""
    done = run('image_bce')
    assert done.returncode == 0, done.stderr
    total = re.search(r"image_bce\.py: \{.*'killed': (\d+).*\} of (\d+)", done.stdout)
    survivors = re.findall(r'^  wsl_plugins/\S+:(\d+): ', done.stdout, re.MULTILINE)
    assert 30 < int(total[1]) <= int(total[2]) == int(total[1]) + len(survivors)
    assert len(survivors) <= 2 and len(set(survivors)) <= 1
