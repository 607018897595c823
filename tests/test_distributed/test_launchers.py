"""``tools/dist_train.sh`` and ``dist_test.sh`` on a CPU: demos to their end, as one process."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
DEMOS = ('mist/mist_demo', 'sdcn/sdcn_demo', 'wsol/cam/cam_demo')
# that of wend: tests/test_wend_commands.py
WITH_BOXES = "[t[0], dict(type='LoadAnnotations', with_bbox=True), *t[1:]]"
ONE_STEP = [  # config, its number of training images, a pipeline for them without chance
    ('mist/mist_demo_no-drop', 8, 't'),
    ('wend/wend_fcos_demo', 10, WITH_BOXES),
]
# images are padded alike, whatever the batch, and normalised without its statistics
CONFIG = """
_base_ = 'configs/{}.py'
t = _base_.test_pipeline
train_dataloader = dict(dataset=dict(pipeline={}))
train_cfg = dict(max_epochs=1, val_interval=2)
param_scheduler = None
randomness = dict(seed=0)
model = dict(backbone=dict(norm_eval=True), data_preprocessor=dict(pad_size_divisor=256))
optim_wrapper = dict(_delete_=True, optimizer=dict(type='SGD', lr=0.01, momentum=0.9))
"""


@pytest.fixture(scope='module')
def python(forks):
    """Function: a tool in a fork."""

    def python(home, tool, *words):
        env = dict(os.environ, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='-1')
        done = forks.run(f'tools/{tool}', *words, cwd=home, env=env)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    return python


@pytest.fixture(scope='module')
def home(python, tmp_path_factory):
    """A folder with tools, configs and generated data, as a clone after the demo's first steps."""
    home = tmp_path_factory.mktemp('home')
    for name in ('tools', 'configs'):
        (home / name).symlink_to(ROOT / name)
    images = 'data/demo/VOC2007/JPEGImages'
    python(home, 'make_demo_dataset.py', 'data/demo', '--train', 8, '--test', 5)
    method = ['--method', 'selective_search', '--min-side', '20']
    python(home, 'make_proposals.py', images, '--out', 'data/demo/proposals.npz', *method)
    images = ['--train', 2, '--fullsup', 1, '--test', 1, '--train-boxes']  # of each class
    python(home, 'make_wsol_demo.py', '--out', 'data/wend_demo', *images)
    (home / 'data/wsol_demo').symlink_to('wend_demo')
    truth = ['--metadata-root', 'data/wend_demo/metadata_train_boxes', '--split', 'train-weaksup']
    boxes = 'data/wend_demo/pseudo_boxes.json'
    python(home, 'make_noisy_boxes.py', *truth, '--wrong', 0.2, '--out', boxes)
    return home


def command(home, *words, **env):
    env = dict(os.environ, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='-1', **env)
    done = subprocess.run(list(map(str, words)), cwd=home, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def two_processes(home, tool, *words):
    """``tools/TOOL.sh`` with a free port and the Python of the tests."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
    return command(home, 'bash', f'tools/{tool}.sh', *words, PATH=path, PORT=port)


def metrics(folder):
    """What a test wrote."""
    (path,) = folder.glob('*/*.json')
    return {k: v for k, v in json.loads(path.read_text()).items() if 'time' not in k}


@pytest.mark.parametrize('demo', DEMOS)
def test_demo_in_two_processes(home, python, demo):
    config, work = f'configs/{demo}.py', Path('work_dirs', demo)
    options = ['load_from=None', 'train_cfg.max_epochs=1', 'train_cfg.val_interval=1']
    two_processes(home, 'dist_train', config, 2, '--work-dir', work, '--cfg-options', *options)
    checkpoint = work / 'epoch_1.pth'
    assert (home / checkpoint).is_file()
    if demo.startswith('sdcn'):  # tests as mist_demo does
        return
    two_processes(home, 'dist_test', config, checkpoint, 2, '--work-dir', work / 'two')
    python(home, 'test.py', config, checkpoint, '--work-dir', work / 'one')
    one, two = metrics(home / work / 'one'), metrics(home / work / 'two')
    assert len(one) >= 3 and any(value > 0 for value in one.values())
    assert two == one


@pytest.mark.parametrize('demo, count, pipeline', ONE_STEP, ids=[one[0] for one in ONE_STEP])
def test_first_step_is_that_of_one_process(home, python, demo, count, pipeline):
    """Two processes with half of the images each, one with all."""
    (home / 'step.py').write_text(CONFIG.format(demo, pipeline))
    results = []
    for processes in (1, 2):
        work = Path('work_dirs/step', demo, str(processes))
        words = ['--work-dir', work]
        words += ['--cfg-options', f'train_dataloader.batch_size={count // processes}']
        if processes == 1:
            python(home, 'train.py', 'step.py', *words)
        else:
            two_processes(home, 'dist_train', 'step.py', 2, *words)
        results.append(torch.load(home / work / 'epoch_1.pth', weights_only=False))
    one, two = (result['optimizer']['state'] for result in results)
    assert one.keys() == two.keys() and len(one) > 15
    for number, state in one.items():  # after one step the momentum is the gradient
        expected, found = state['momentum_buffer'], two[number]['momentum_buffer']
        scale = expected.abs().max().item()
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * scale + 1e-8)
    assert max(state['momentum_buffer'].abs().max() for state in one.values()) > 1e-3
