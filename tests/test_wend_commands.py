"""A binary-class detector by the tools in one and two processes, with images without pseudo box."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata
from wsl_plugins.pseudo_boxes import PseudoBoxFile

ROOT = Path(__file__).parents[1]


@pytest.fixture
def demo(forks, tmp_path):
    """Fifteen training images, eight of them without pseudo box, and fifteen test images."""
    out = tmp_path / 'demo'
    options = ['--train', '3', '--fullsup', '1', '--test', '3', '--train-boxes']
    assert forks.run('tools/make_wsol_demo.py', '--out', out, *options).returncode == 0
    truth = WSOLMetadata.load(out / 'metadata_train_boxes', 'train-weaksup', require='boxes')
    rows = {
        image_id: [(truth.boxes[image_id][0] + (0, 0, 1, 1), truth.labels[image_id], float('nan'))]
        if number % 2
        else []
        for number, image_id in enumerate(truth.image_ids)
    }
    classes = {label: str(label) for label in range(5)}
    PseudoBoxFile.from_rows(truth.sizes, rows, classes, {}).save(out / 'pseudo_boxes.json')
    return out


def run(demo, processes, tool, *args):
    options = [f'{part}_dataloader.dataset.data_root={demo}/' for part in ('train', 'val', 'test')]
    options += ['train_dataloader.batch_size=4', 'train_cfg.max_epochs=1', 'randomness.seed=0']
    start = ['-m', 'torch.distributed.run', '--standalone', f'--nproc-per-node={processes}']
    command = [sys.executable, *(start if processes > 1 else []), ROOT / 'tools' / tool]
    command += [ROOT / 'configs' / 'wend' / 'wend_fcos_demo.py', *args]
    command += ['--launcher', 'pytorch' if processes > 1 else 'none', '--cfg-options', *options]
    env = dict(os.environ, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='-1')
    done = subprocess.run(list(map(str, command)), env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def scalars(folder):
    (path,) = folder.glob('*/*.json')
    return json.loads(path.read_text().splitlines()[-1])


def test_train_in_two_processes(demo, tmp_path):
    run(demo, 2, 'train.py', '--work-dir', tmp_path / 'work')
    (log,) = (tmp_path / 'work').glob('*/*.log')
    assert '8 of 15 images have no box' in log.read_text()
    (path,) = (tmp_path / 'work').glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    losses = [line['loss'] for line in lines if 'loss' in line]
    assert losses and all(0 < loss < 100 for loss in losses)
    assert 0 <= lines[-1]['wsol/gt_known_loc'] <= 100


@pytest.mark.slow
def test_processes_agree_on_the_metric(demo, tmp_path):
    for processes in (1, 2):
        run(demo, processes, 'test.py', '--work-dir', tmp_path / str(processes))
    one, two = (scalars(tmp_path / str(processes)) for processes in (1, 2))
    for name in ('gt_known_loc', 'gt_known_loc_multi', 'boxes_per_image'):
        assert one[f'wsol/{name}'] == two[f'wsol/{name}']
    assert one['wsol/boxes_per_image'] > 0
