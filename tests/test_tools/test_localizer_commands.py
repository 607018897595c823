"""The commands of configs/wsol/README.md: test without a checkpoint, score maps scored alone."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*args):
    command = [sys.executable, *map(str, args)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_score_maps_scored_alone(tmp_path):
    """The centre baseline needs no checkpoint; its dumped maps give the metrics of the run."""
    demo, maps = tmp_path / 'demo', tmp_path / 'maps'
    run('tools/make_wsol_demo.py', '--out', demo, '--test', 4)
    log = run(
        'tools/test.py',
        'configs/wsol/center/center_demo.py',
        '--work-dir',
        tmp_path / 'run',
        '--dump-score-maps',
        maps,
        '--cfg-options',
        f'test_dataloader.dataset.data_root={demo}',
    )
    assert len(list(maps.rglob('*.npy'))) == 20
    alone = run(
        'tools/eval_score_maps.py', maps, '--metadata-root', demo / 'metadata', '--split', 'test'
    )
    for name in ('MaxBoxAcc', 'MaxBoxAccV2', 'MaxBoxAccV2_30'):
        expected = re.search(rf'wsol/{name}: ([\d.]+)', log)[1]
        found = re.search(rf'\| {name} +\| ([\d.]+)', alone)[1]
        assert abs(float(found) - float(expected)) < 0.06, name
