"""Run the benchmarks, one after the other (``--quick``: two at a time), and write a page of them.

A benchmark that fails or prints no table is named with the end of its error output, and the page is
left as it was. Times mean something beside each other only, on a machine that does nothing else.

Example:
    python benchmarks/page.py --out docs/benchmarks.md      (minutes)
    python benchmarks/page.py --quick --out /tmp/page.md    (small sizes: that all of it runs)
"""

import argparse
import os
import platform
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

from catalogue import BENCHMARKS, Benchmark

ROOT = Path(__file__).resolve().parents[1]
# of mmdet and mmpretrain
NOISE = re.compile(r'^(?:\w+: )?Could not import OneDL.*\n', re.MULTILINE)
TABLE = re.compile(r'^\|[-:| ]+\|\n\|', re.MULTILINE)  # below the heading, with a row
HEAD = """# Benchmarks

<!-- made by `make bench`: do not edit -->

Written by `make bench` on a CPU: every table with its baseline in the same run, one after the
other, on random or generated images and without pretrained weights. Ratios carry over to other
machines better than times.

"""


def quick(benchmark: Benchmark) -> Benchmark:
    """The same benchmark with its small sizes."""
    script = benchmark.command.partition('.py')[0]
    return benchmark._replace(command=f'{script}.py {benchmark.quick}')


def run(benchmark: Benchmark) -> str:
    """Output of a benchmark: Markdown.

    Raises:
        RuntimeError: it failed, or printed no table; with the end of its error output.
    """
    words = shlex.split(benchmark.command)
    done = subprocess.run(
        ['env', *(sys.executable if word == 'python' else word for word in words)],
        cwd=ROOT,
        env={**os.environ, 'CUDA_VISIBLE_DEVICES': '-1'},
        capture_output=True,
        text=True,
    )
    if done.returncode == 0 and TABLE.search(done.stdout):
        return NOISE.sub('', done.stdout).strip()
    problem = f'status {done.returncode}' if done.returncode else 'no table was printed'
    end = '\n'.join(done.stderr.strip().splitlines()[-5:])
    raise RuntimeError(f'{benchmark.title}: {benchmark.command}: {problem}\n{end}'.strip())


def run_all(benchmarks: Sequence[Benchmark], processes: int = 1) -> list[str]:
    """Output of each.

    Raises:
        RuntimeError: some failed; all of them are named.
    """
    problems = []

    def attempt(benchmark: Benchmark) -> str:
        started, output = time.perf_counter(), ''
        try:
            output = run(benchmark)
        except RuntimeError as error:
            problems.append(str(error))
        spent = time.perf_counter() - started
        print(f'{benchmark.title}: {spent:.0f} s', file=sys.stderr, flush=True)
        return output

    with ThreadPoolExecutor(processes) as pool:
        outputs = list(pool.map(attempt, benchmarks))
    if problems:
        raise RuntimeError(f'{len(problems)} of {len(benchmarks)} failed\n' + '\n'.join(problems))
    return outputs


def cpu_model() -> str:
    """Name of the processor."""
    info = Path('/proc/cpuinfo')
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()


def machine() -> list[list[str]]:
    """What the times depend on, without names of hosts or folders."""
    import torch

    from wsl_plugins import __version__
    from wsl_plugins.stack import OPENMMLAB, installed

    threads = os.environ.get('OMP_NUM_THREADS') or torch.get_num_threads()
    mm = (f'{need.module} {next(iter(installed(need).values()))}' for need in OPENMMLAB)
    versions = [f'{name} {metadata.version(name)}' for name in ('torch', 'torchvision', 'numpy')]
    affinity = getattr(os, 'sched_getaffinity', None)
    return [
        ['processor', cpu_model()],
        ['cores', str(len(affinity(0)) if affinity else os.cpu_count())],
        ['threads of a training step', str(threads)],
        ['system', f'{platform.system()}, Python {platform.python_version()}'],
        ['versions', ', '.join([f'wsl_plugins {__version__}', *versions, *mm])],
    ]


def page(
    machine: Sequence[Sequence[str]], benchmarks: Sequence[Benchmark], outputs: Sequence[str]
) -> str:
    """The page: machine, then each benchmark with its note, its output and its command."""
    parts = [HEAD + '| | |\n| --- | --- |\n' + ''.join(f'| {k} | {v} |\n' for k, v in machine)]
    for benchmark, output in zip(benchmarks, outputs, strict=True):
        command = f'```bash\n{benchmark.command}\n```'
        parts.append('\n\n'.join([f'## {benchmark.title}', benchmark.note, output, command]) + '\n')
    return '\n'.join(parts)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--out', type=Path, required=True, metavar='FILE.md')
    parser.add_argument('--quick', action='store_true', help='small sizes: its times mean nothing')
    args = parser.parse_args()
    from wsl_plugins.files.writing import atomic_write

    benchmarks = [quick(each) for each in BENCHMARKS] if args.quick else BENCHMARKS
    try:
        if args.out.is_dir():
            raise IsADirectoryError(f'{args.out} is a folder')
        text = page(machine(), benchmarks, run_all(benchmarks, 2 if args.quick else 1))
        with atomic_write(args.out) as file:
            file.write(text.encode())
    except (RuntimeError, OSError) as error:
        print(f'page: error: {error}', file=sys.stderr)
        return 1
    print(args.out)
    return 0


if __name__ == '__main__':
    sys.exit(main())
