"""Every config that trains does so in two processes, by ``tools/train.py``, once reduced in size.

What freezes is frozen before ``DistributedDataParallel`` wraps the model; every parameter that
learns gets a gradient, the same in both processes; ``config_worker.py`` says how this is seen.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKER = Path(__file__).with_name('config_worker.py')


def run(folder, which):
    paths = os.pathsep.join([str(ROOT), str(ROOT / 'tools'), os.environ.get('PYTHONPATH', '')])
    done = subprocess.run(
        [sys.executable, WORKER, folder, which],
        env=dict(os.environ, PYTHONPATH=paths, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='-1'),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((folder / 'results.json').read_text())
    results = found['results']
    print(
        f'{len(found["trained"])} configs train, {len(found["only_tested"])} only test; '
        f'{len(results)} were trained, {sum(len(r["alike"]) for r in results.values())} are alike'
    )
    return found


def check(results):
    problems = {path: one['problem'] for path, one in results.items() if one['problem']}
    assert not problems, '\n\n'.join(f'{path}: {text}' for path, text in problems.items())


def test_nothing_freezes_late_and_few_configs_train(tmp_path):
    """All are built; those train that together have every component."""
    found = run(tmp_path, 'few')
    assert len(found['trained']) > 200 and len(found['frozen_late']) > 100
    late = {path: names for path, names in found['frozen_late'].items() if names}
    assert not late, f'train() freezes parameters: {late}'
    assert len(found['results']) > 20
    check(found['results'])


@pytest.mark.slow
def test_the_other_configs_train(tmp_path):
    found = run(tmp_path, 'rest')
    results = found['results']
    done = [path for first, one in results.items() for path in (first, *one['alike'])]
    assert sorted([*done, *found['others']]) == found['trained']
    assert len(done) > len(found['others'])
    check(results)
