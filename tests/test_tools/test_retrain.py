"""tools/retrain.py and tools/split_images.py as commands: generated data, all stages, narrow."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location('retrain_tool', ROOT / 'tools/retrain.py')
STAGES = """
_base_ = './projects/retraining/stages_demo.py'
stages = _base_.stages
small = {
    'randomness.seed': 0,
    'train_cfg.val_interval': 2,
    'default_hooks.checkpoint.interval': 1,
}
training = dict(small, **{'train_cfg.max_epochs': 2, 'train_dataloader.batch_size': 4})
stages[3].cfg_options.update(training)
semi = dict(small, **{'train_cfg.max_iters': 2, 'default_hooks.checkpoint.interval': 2})
stages[6].cfg_options.update(semi)
"""


@pytest.fixture(scope='module')
def tool():
    tool = importlib.util.module_from_spec(SPEC)
    SPEC.loader.exec_module(tool)
    return tool


def run(*args, cwd, fails=False):
    """Output of a tool in a folder."""
    env = dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=str(ROOT))
    command = [sys.executable, str(ROOT / args[0]), *map(str, args[1:])]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    assert (done.returncode != 0) == fails, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.fixture(scope='module')
def place(forks, tmp_path_factory):
    """A folder with data, a detector that has learned nothing, and a config of stages."""
    folder = tmp_path_factory.mktemp('stages')
    for name in ('configs', 'projects'):
        (folder / name).symlink_to(ROOT / name)
    demo = ROOT / 'tools/make_demo_dataset.py'
    assert not forks.run(demo, 'data/demo', '--train', 12, '--test', 4, cwd=folder).returncode
    method = ['--method', 'selective_search', '--min-side', 20]
    images = ['data/demo/VOC2007/JPEGImages', '--out', 'data/demo/proposals.npz']
    proposals = ROOT / 'tools/make_proposals.py'
    assert not forks.run(proposals, *images, *method, cwd=folder).returncode
    init_default_scope('mmdet')
    model = MODELS.build(Config.fromfile(ROOT / 'configs/mist/mist_demo.py').model)
    model.init_weights()
    (folder / 'work_dirs/demo/train').mkdir(parents=True)
    content = dict(state_dict=model.state_dict(), meta={})
    torch.save(content, folder / 'work_dirs/demo/train/epoch_12.pth')
    (folder / 'stages.py').write_text(STAGES)
    return folder


@pytest.mark.slow
def test_all_stages(forks, place):
    text = run('tools/retrain.py', 'stages.py', cwd=place)
    work = place / 'work_dirs/stages'
    rows = {row['stage']: row for row in json.loads((work / 'stages.json').read_text())}
    names = ('teacher', 'retrained', 'semi', 'training', 'semi-training')
    assert all(0 <= float(rows[name]['mAP']) <= 100 for name in names)
    assert 0 <= float(rows['boxes']['precision']) <= 100
    assert f'| {"split":<13} |' in text
    assert 'images with the boxes of 3 stages' in text
    page = (work / 'report.html').read_text()
    assert page.count('stages/compared') and 'data:image/jpeg' in page
    # labels of the images, never more
    boxes = json.loads((work / 'boxes/boxes.json').read_text())
    parts = [json.loads((work / f'split/{n}labelled.json').read_text()) for n in ('', 'un')]
    ids = [[image['id'] for image in part['images']] for part in parts]
    assert sorted(ids[0] + ids[1]) == [image['id'] for image in boxes['images']]
    assert len(ids[0]) == 5  # 0.4 of 12
    losses = json.loads((work / 'split/losses.json').read_text())
    files = {image['id']: image['file_name'] for image in boxes['images']}
    worst = max(losses[files[n]] for n in ids[0])
    assert all(losses[files[n]] is None or losses[files[n]] >= worst for n in ids[1])
    config = ROOT / 'projects/retraining/faster-rcnn_r18_demo.py'
    checkpoint = next(work.glob('training/epoch_2.pth'))
    options = [f'train_dataloader.dataset.ann_file={work}/boxes/boxes.json']
    words = [config, checkpoint, '--amp', '--out', 'amp', '--cfg-options', *options]
    done = forks.run(ROOT / 'tools/split_images.py', *words, cwd=place)
    assert done.returncode == 0, done.stdout + done.stderr
    rounded = json.loads((place / 'amp/losses.json').read_text())
    assert rounded.keys() == losses.keys() and rounded != losses
    for name, loss in losses.items():
        assert rounded[name] == (loss and pytest.approx(loss, rel=0.05)), name
    again = forks.run(ROOT / 'tools/retrain.py', 'stages.py', cwd=place).stdout
    assert again.count(': complete (') == 8 and '$ python' not in again


@pytest.mark.slow
def test_a_training_in_two_processes(place):
    """By torchrun, into another folder, from the boxes that are there."""
    run('tools/retrain.py', 'stages.py', '--only', 'detections', '--work-dir', 'two', cwd=place)
    launch = ['--launch', 'torchrun --nproc-per-node 2 --master-port 29617']
    only = ['--only', 'boxes', 'training', '--work-dir', 'two', *launch]
    text = run('tools/retrain.py', 'stages.py', *only, cwd=place)
    assert 'launch.py --nproc-per-node 2' in text and '--launcher pytorch' in text
    assert (place / 'two/training/done.json').exists()
    assert not (place / 'two/retrained').exists()
    error = run(
        'tools/retrain.py', 'stages.py', '--only', 'semi', *only[3:5], cwd=place, fails=True
    )
    assert "the stage semi needs ['semi-training'], which are not complete" in error


@pytest.mark.parametrize(
    ('launch', 'begin', 'end'),
    [
        (None, ['tools/train.py'], []),
        ('torchrun --nproc-per-node 2', ['tools/launch.py', '--nproc-per-node', '2'], 'pytorch'),
        ("srun --gres 'gpu:2' --ntasks 2", ['--gres', 'gpu:2', '--ntasks', '2'], 'slurm'),
    ],
)
def test_commands(tool, launch, begin, end, tmp_path):
    stage = tool.Stage('a', 'train', ('c.py', '--cfg-options', 'x={b}/y'), tmp_path)
    command = tool.command_of(stage, dict(b='/b'), launch)
    relative = [part.removeprefix(f'{ROOT}/') for part in command]
    assert relative[1 : 1 + len(begin)] == begin
    assert 'x=/b/y' in command and '--resume' in command
    assert command[-2:] == (['--launcher', end] if end else [str(tmp_path), '--resume'])
    split = tool.Stage('a', 'split-images', ('c.py', 'd.pth'), tmp_path)
    assert '--launcher' not in tool.command_of(split, {}, launch)


def test_dry_run_and_errors(tool, tmp_path, monkeypatch, capsys):
    config = str(ROOT / 'projects/retraining/stages_demo.py')

    def status(*args):
        monkeypatch.setattr(sys, 'argv', ['retrain.py', *map(str, args)])
        return tool.main(), ''.join(capsys.readouterr())

    work = tmp_path / 'work'
    code, text = status(config, '--work-dir', work, '--dry-run')
    assert code == 0 and text.count('$ python') == 8 and not work.exists()
    code, text = status(config, '--work-dir', work, '--only', 'smei')
    assert code == 1 and "--only: no stage 'smei'; there are ['teacher'," in text
    code, text = status(config, '--work-dir', work, '--dry-run', '--launch', 'mpirun -n 2')
    assert code == 1 and "must start with torchrun or srun, got 'mpirun -n 2'" in text
    code, text = status(tmp_path / 'gone.py')
    assert code == 1 and 'gone.py' in text and 'Traceback' not in text
    with tool.lock_folder(work, 'runs the stages'):
        code, text = status(config, '--work-dir', work)
    assert code == 1 and 'another process' in text
