"""Every localizer learns the generated data set, where the centre of an image is a bad guess."""

import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

ROOT = Path(__file__).parents[1]
METHODS = ['cam']
METHODS += [
    pytest.param(name, marks=pytest.mark.slow)
    for name in ('acol', 'adl', 'cutmix', 'has', 'spg', 'trilite')
]


@pytest.fixture(scope='module')
def demo_set(tmp_path_factory):
    out = tmp_path_factory.mktemp('wsol') / 'demo'
    tool = [sys.executable, str(ROOT / 'tools' / 'make_wsol_demo.py'), '--out', str(out)]
    subprocess.run(tool, check=True, capture_output=True)
    return out


@pytest.fixture
def run(demo_set, tmp_path):
    """Train, if there is something to train, and test; the metrics of the test split."""

    def run(config):
        cfg = Config.fromfile(ROOT / 'configs' / 'wsol' / config)
        for loop in ('train', 'val', 'test'):
            loader = cfg.get(f'{loop}_dataloader')
            if loader is not None:
                loader.dataset.data_root = str(demo_set)
        cfg.work_dir = str(tmp_path)
        cfg.randomness = dict(seed=0)
        cfg.train_cfg = cfg.get('train_cfg') and dict(cfg.train_cfg, val_interval=10)
        cfg.default_hooks.logger.interval = 1000
        runner = Runner.from_cfg(cfg)
        if cfg.train_cfg:
            runner.train()
        return runner.test()

    yield run
    init_default_scope('mmengine')


@pytest.mark.parametrize('method', METHODS)
def test_learns(run, method):
    metrics = run(f'{method}/{method}_demo.py')
    assert metrics['accuracy/top1'] > 60, 'of 100; chance is 20'
    assert metrics['wsol/MaxBoxAcc'] > 20, 'the centre has less than 5'
    assert metrics['wsol/top1_loc'] <= metrics['wsol/gt_known_loc'] == metrics['wsol/MaxBoxAcc']


def test_the_centre_is_a_bad_guess(run):
    assert run('center/center_demo.py')['wsol/MaxBoxAcc'] < 5
