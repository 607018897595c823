"""Large data sets: time and memory of this build beside those of an older commit.

Every workload is a script of ``benchmarks/scale_workloads`` with two calls: ``--make DIR --images
N`` writes synthetic files, once, that both builds read; ``--run DIR`` does the work and prints a
line of JSON, ``{"seconds": ..., "resident_mib": ...}``. Each build runs it in a process of its own,
from its own checkout.

It may say more: ``cpu_seconds``, which other programs on the machine disturb less, and
``added_mib``, what the work adds to the memory of the process (a page that n processes have counts
1/n; resident memory counts it whole, and the libraries). Some are run by several processes of this
build as well, which share the work: then the table has the time of the slowest process, and CPU
and added memory of all together.

Example:
    python benchmarks/scale.py --images 118287 --workloads coco_training --processes 8
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from common import print_table

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / 'benchmarks' / 'scale_workloads'
COLUMNS = (('seconds', 1), ('cpu_seconds', 1), ('resident_mib', 0), ('added_mib', 0))
"""Numbers of the table, with their digits."""
SHARED = ('coco_training',)
"""Workloads that several processes share."""


def parse_args() -> argparse.Namespace:
    names = sorted(path.stem for path in FOLDER.glob('*.py'))
    parser = argparse.ArgumentParser(description='Large data sets beside an older commit')
    parser.add_argument('--images', type=int, default=2000, metavar='N', help='default: 2000')
    parser.add_argument('--workloads', nargs='+', choices=names, default=names, metavar='NAME')
    parser.add_argument(
        '--against', default='b997832', metavar='COMMIT', help='the older one, default: b997832'
    )
    parser.add_argument('--processes', type=int, default=8, metavar='N', help='default: 8')
    return parser.parse_args()


def checkout(commit: str, folder: Path) -> Path:
    """Write the files of a commit to a folder; git's own notes stay as they are."""
    git = ['git', '-C', str(ROOT), 'archive', commit]
    with subprocess.Popen(git, stdout=subprocess.PIPE) as archive:
        subprocess.run(['tar', '-x', '-C', folder], stdin=archive.stdout, check=True)
    if archive.returncode:
        raise RuntimeError(f'git archive {commit}: status {archive.returncode}')
    return folder


def call(workload: str, words: list[str | Path], tree: Path, processes: int = 1) -> str:
    """Output of a workload that runs with the package of a checkout.

    Raises:
        RuntimeError: It failed; with the end of its error output.
    """
    command = [sys.executable]
    if processes > 1:
        command += '-m torch.distributed.run --standalone --nproc-per-node'.split()
        command += [str(processes), '--']
    done = subprocess.run(
        [*command, FOLDER / f'{workload}.py', *words],
        env={'OMP_NUM_THREADS': '1', **os.environ, 'PYTHONPATH': str(tree)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        end = '\n'.join(done.stderr.strip().splitlines()[-10:])
        raise RuntimeError(f'{workload}: status {done.returncode}\n{end}')
    return done.stdout


def measure(workload: str, data: Path, tree: Path, processes: int = 1) -> dict[str, float]:
    """``seconds`` of the slowest process, all else of all together."""
    output = call(workload, ['--run', data], tree, processes)
    # processes may write into each other's lines
    lines = [json.loads(text) for text in re.findall(r'\{[^{}]*\}', output)]
    if len(lines) != processes:
        raise RuntimeError(f'{workload}: {len(lines)} results of {processes} processes\n{output}')
    total = {key: sum(line[key] for line in lines) for key in lines[0]}
    return {**total, 'seconds': max(line['seconds'] for line in lines)}


def row(
    workload: str,
    build: str,
    processes: int,
    found: dict[str, float],
    base: dict[str, float] | None = None,
) -> list[str]:
    """A row of the table, with the ratios to ``base``."""
    cells = [workload, build, str(processes)]
    for key, digits in COLUMNS:
        known = key in found and (key != 'resident_mib' or processes == 1)
        cells.append(f'{found[key]:.{digits}f}' if known else '')
        cells.append(f'{found[key] / base[key]:.2f}' if known and base else '')
    return cells


def main() -> None:
    args = parse_args()
    rows = [
        ['workload', 'build', 'processes', 'seconds', 'ratio']
        + ['CPU, s', 'ratio', 'resident, MiB', 'ratio', 'added, MiB', 'ratio']
    ]
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as tree:
        older = checkout(args.against, Path(tree))
        print(f'{args.images} images; ratios to the row above')
        for workload in args.workloads:
            data = Path(name, workload)
            data.mkdir()
            made = call(workload, ['--make', data, '--images', str(args.images)], ROOT)
            print('\n'.join(f'{workload}: {line}' for line in made.splitlines()), flush=True)
            before = measure(workload, data, older)
            now = measure(workload, data, ROOT)
            rows.append(row(workload, args.against, 1, before))
            rows.append(row(workload, 'this', 1, now, before))
            if workload in SHARED and args.processes > 1:
                together = measure(workload, data, ROOT, args.processes)
                rows.append(row(workload, 'this', args.processes, together, now))
    print()
    print_table(rows)


if __name__ == '__main__':
    main()
