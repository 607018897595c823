"""Changes the code of samplers, losses, metrics, DDT, transforms and proposal files a little, one
change at a time, and runs the tests of the changed file. Prints the changes that no test notices:
each asks for a test, or changes nothing that anybody could see. Run from the root of the
repository:

    python tests/mutation                     (all files: about an hour on two cores)
    python tests/mutation mist_sampler ddt    (files by name)"""

import argparse
import importlib
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mutants import Mutant, mutants
from targets import TARGETS

ROOT = Path(__file__).parents[2]
IMPORTED = (  # before the first fork: only the code of this project is imported anew
    'pytest',
    'hypothesis',
    'sklearn.cluster',
    'scipy.ndimage',
    'wsl_plugins',
    'mmdet.models',
    'mmdet.evaluation',
    'mmpretrain.models',
    'mmpretrain.evaluation',
)


class ChangedFile:
    """Import hook that gives another source to one module."""

    def __init__(self, path: Path, code: str) -> None:
        self.path, self.code = path, code
        self.name = '.'.join(path.relative_to(ROOT).with_suffix('').parts)

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        loader = importlib.machinery.SourceFileLoader(name, str(self.path))
        loader.get_code = lambda _: compile(self.code, str(self.path), 'exec')
        return importlib.util.spec_from_file_location(name, self.path, loader=loader)


def start(path: Path, code: str | None, tests: list[str]) -> int:
    """A fork that runs the tests on a changed file: its process id."""
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    if code is not None:
        sys.meta_path.insert(0, ChangedFile(path, code))
    status = 1
    try:
        import pytest

        status = pytest.main(['-x', '-q', '-p', 'no:cacheprovider', '-p', 'no:xdist', *tests])
    finally:
        os._exit(int(status))


def outcomes(
    path: Path, changes: list[Mutant], tests: list[str], processes: int, limit: float
) -> Iterator[tuple[Mutant, str]]:
    """Each change with 'killed' (a test fails), 'timeout' or 'survived', as they end."""
    waiting, running = list(reversed(changes)), {}
    while waiting or running:
        while waiting and len(running) < processes:
            change = waiting.pop()
            running[start(path, change.code, tests)] = change, time.monotonic()
        time.sleep(0.01)
        for pid, (change, since) in list(running.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                outcome = 'killed' if status else 'survived'
            elif time.monotonic() - since > limit:
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                outcome = 'timeout'
            else:
                continue
            del running[pid]
            yield change, outcome


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('names', nargs='*', metavar='NAME', help='default: all')
    parser.add_argument('--processes', type=int, default=os.cpu_count())
    args = parser.parse_args()
    known = {Path(file).stem: file for file in TARGETS}
    unknown = set(args.names) - set(known)
    if unknown:
        parser.error(f'no such file: {", ".join(sorted(unknown))}; there are {", ".join(known)}')
    for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS'):
        os.environ[name] = '1'  # threads do not outlive a fork
    for package in IMPORTED:
        importlib.import_module(package)
    total = Counter()
    for name in args.names or known:
        file = known[name]
        path, tests = ROOT / file, [f'tests/{test}.py' for test in TARGETS[file].split()]
        began = time.monotonic()
        if os.waitpid(start(path, None, tests), 0)[1]:
            parser.error(f'{file}: tests fail without any change: {" ".join(tests)}')
        spent = time.monotonic() - began
        changes, counts = mutants(path.read_text()), Counter()
        for change, outcome in outcomes(path, changes, tests, args.processes, 10 + 5 * spent):
            counts[outcome] += 1
            if outcome == 'survived':
                print(f'  {file}:{change.line}: {change.what}', flush=True)
        total += counts
        print(f'{file}: {dict(counts)} of {len(changes)}, tests of {spent:.1f} s', flush=True)
    print(f'all: {dict(total)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
