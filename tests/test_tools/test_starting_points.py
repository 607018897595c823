"""Checkpoints that tools/train.py, test.py and visualize.py start from, and those they refuse."""

import copy
import os
import runpy
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope, init_default_scope
from mmengine.runner import Runner

from wsl_plugins.checkpoints import MisfitError

pytest.importorskip('mmpretrain')
ROOT = Path(__file__).parents[2]
CONFIG = """
default_scope = 'mmpretrain'
loader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CustomDataset', data_root={data!r},
        pipeline=[dict(type='LoadImageFromFile'), dict(type='PackInputs')]))
train_dataloader, test_dataloader = loader, loader
test_evaluator = dict(type='Accuracy', topk=1)
train_cfg, test_cfg = dict(by_epoch=True, max_epochs=1), dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01))
param_scheduler = dict(type='MultiStepLR', milestones=[5])
randomness = dict(seed=0)
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=18, stem_channels=4, base_channels=4),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead', num_classes=3, in_channels=32, topk=1,
        loss=dict(type='CrossEntropyLoss')))
"""
EMA = """
_base_ = 'tiny.py'
custom_hooks = [dict(type='EMAHook')]
"""


@pytest.fixture(autouse=True)
def scope():
    """A runner sets the default scope and leaves it."""
    yield
    init_default_scope('mmengine')


@pytest.fixture
def home(tmp_path):
    """Configs, and four images: three of them of class b."""
    for name in ('a/0', 'b/1', 'b/2', 'b/3', 'c/none'):
        path = tmp_path / 'data' / f'{name}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((16, 16, 3), 90, np.uint8))
    (tmp_path / 'data/c/none.png').unlink()
    (tmp_path / 'tiny.py').write_text(CONFIG.format(data=str(tmp_path / 'data')))
    (tmp_path / 'ema.py').write_text(EMA)
    return tmp_path


@pytest.fixture
def state(home):
    """Weights that find class b everywhere: three of four are right."""
    model = dict(Config.fromfile(home / 'tiny.py').model)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        weights = MODELS.build(model).state_dict()
    weights['head.fc.bias'] = torch.tensor([0.0, 1e4, 0.0])
    return weights


@pytest.fixture
def tool(home, monkeypatch, capfd):
    """Run a tool on a checkpoint of this content; its message (None: it ended well) and output."""

    def run(name, content, *options, config='tiny.py'):
        path = home / 'start.pth'
        if content is not None:
            torch.save(content, path)
        path = [path] if name == 'test' else ['--resume', path] if 'resume' in options else []
        options = [option for option in options if option != 'resume']
        command = [name, home / config, *path, '--work-dir', home / 'work', *options]
        monkeypatch.syspath_prepend(str(ROOT / 'tools'))
        monkeypatch.setattr(sys, 'argv', [*map(str, command)])
        monkeypatch.setenv('LOCAL_RANK', '0')
        capfd.readouterr()
        message = None
        try:
            runpy.run_path(str(ROOT / 'tools' / f'{name}.py'), run_name='__main__')
        except SystemExit as ended:
            message = ended.code
            assert message.startswith('error: ') and '\n' not in message
        return message, ''.join(capfd.readouterr())

    return run


def without(state, *parts):
    return {k: v for k, v in state.items() if not any(part in k for part in parts)}


def detector(state):
    """Weights of a detector with the same backbone."""
    head = {'roi_head.fc.weight': torch.ones(1), 'roi_head.fc.bias': torch.ones(1)}
    return without(state, 'head') | head


MISFITS = {
    'other classes': (
        lambda s: s | {'head.fc.weight': torch.ones(5, 32), 'head.fc.bias': torch.ones(5)},
        '2 other shapes: head.fc.weight has shape (5, 32), the model needs (3, 32); head.fc.bias',
    ),
    'detector': (
        detector,
        '2 missing weights: head.fc.weight; head.fc.bias | '
        '2 unexpected weights: roi_head.fc.weight; roi_head.fc.bias',
    ),
    'one missing': (lambda s: without(s, 'layer1.0.conv1'), '1 missing weight: backbone.layer1.0'),
    'no statistics': (lambda s: without(s, 'running'), '; ...'),
    'one foreign': (lambda s: {'x': torch.ones(1)}, '1 unexpected weight: x'),
    'nested foreign': (lambda s: dict(state_dict={'x': torch.ones(1)}), '1 unexpected weight: x'),
    'no weights': (lambda s: dict(epoch=3), 'no weights: no tensor in it'),
    'no dict': (lambda s: [s], 'no weights: holds a list'),
}


@pytest.mark.parametrize('kind', MISFITS)
def test_misfits_are_not_tested(tool, state, kind):
    change, words = MISFITS[kind]
    message, output = tool('test', change(state))
    assert words in message and 'accuracy' not in output
    nothing = kind.endswith(('foreign', 'weights', 'dict'))
    assert ('--allow-partial' in message) != nothing
    message, output = tool('test', change(state), '--allow-partial')
    if nothing:
        assert words in message and 'accuracy' not in output
    else:
        assert message is None and 'accuracy/top1' in output
        assert 'loaded in part: ' in output and words in output


FITS = {
    'flat': lambda s: s,
    'nested': lambda s: dict(state_dict=s, meta=dict(epoch=3)),
    'model': lambda s: dict(model=s, iteration=3),
    'several processes': lambda s: {f'module.{k}': v for k, v in s.items()},
    'averaged': lambda s: {'steps': torch.tensor(3)} | {f'module.{k}': v for k, v in s.items()},
    'without counters': lambda s: without(s, 'num_batches_tracked'),
    'more': lambda s: dict(state_dict=s | {'seg_head.w': torch.ones(1)}),
}


@pytest.mark.parametrize('config', ['tiny.py', 'ema.py'])
@pytest.mark.parametrize('kind', FITS)
def test_what_fits_is_tested(tool, state, kind, config):
    message, output = tool('test', FITS[kind](state), config=config)
    assert message is None and 'accuracy/top1: 75.0000' in output
    assert ('unexpected weight: ' in output) == (kind in ('more', 'averaged'))


def test_start_of_a_training(tool, home, state):
    load = ['--cfg-options', f'load_from={home / "start.pth"}']
    message, output = tool('train', detector(state), *load)
    assert message is None and (home / 'work/epoch_1.pth').is_file()
    assert 'start.pth: loaded in part: of 102 needed weights: 2 missing weights: head.fc' in output
    assert '| 2 unexpected weights: roi_head' in output
    message, _ = tool('train', without(state, 'backbone.', 'fc') | {'x': torch.ones(1)}, *load)
    assert 'not of this config' in message and '102 missing weights' in message
    load = ['--cfg-options', f'load_from={home / "absent.pth"}']
    assert tool('train', state, *load)[0] == f'error: checkpoint not found: {home}/absent.pth'


def test_resuming_needs_a_training(tool, home, state):
    published = dict(state_dict=state, meta=dict(epoch=1, iter=2))
    for content, lacks in (
        (state, 'meta.epoch, meta.iter, optimizer, message_hub, param_schedulers'),
        (published, '(it lacks optimizer, message_hub, param_schedulers)'),
        (published | dict(optimizer={}, message_hub={}), '(it lacks param_schedulers)'),
    ):
        message, _ = tool('train', content, 'resume')
        assert lacks in message and 'load_from' in message


def test_a_training_that_is_done(tool, home):
    config = 'ema.py'
    tool('train', None, config=config)
    done = torch.load(home / 'work/epoch_1.pth', weights_only=False)
    message, output = tool('train', done, 'resume', config=config)
    line = 'start.pth: this training is already done: 1 of 1 epochs'
    assert message is None and output.count(line) == 1
    message, output = tool('train', None, '--resume', config=config)
    assert message is None and output.count('this training is already done') == 1
    more = ['--cfg-options', 'train_cfg.max_epochs=2']
    message, output = tool('train', done, 'resume', *more, config=config)
    assert message is None and 'already done' not in output
    assert (home / 'work/epoch_2.pth').is_file()
    assert tool('test', done, config=config)[0] is None
    del done['state_dict']['head.fc.bias']
    message, _ = tool('train', done, 'resume', config='tiny.py')
    assert 'not of this config: of 102 needed weights: 1 missing weight: head.fc.bias' in message


def test_in_a_config(home, state):
    """For tools that load what fits and go on."""
    torch.save(detector(state), home / 'start.pth')
    cfg = Config.fromfile(home / 'tiny.py')
    cfg.merge_from_dict(dict(work_dir=str(home / 'work'), load_from=str(home / 'start.pth')))
    cfg.custom_hooks = [dict(type='wsl_plugins.StartingPointHook')]
    with pytest.raises(MisfitError, match='not of this config: .* 2 missing weights: head'):
        Runner.from_cfg(cfg).test()
    cfg.custom_hooks[0].allow_partial = True
    assert 'accuracy/top1' in Runner.from_cfg(cfg).test()


def test_as_commands(home, state, tmp_path):
    """One line at the end, status 1; the script for several processes hands options on."""
    torch.save(detector(state), home / 'start.pth')
    command = ['tools/test.py', home / 'tiny.py', home / 'start.pth', '--work-dir', home / 'work']
    env = os.environ | dict(PYTHONPATH=str(ROOT), CUDA_VISIBLE_DEVICES='-1')
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=env, capture_output=True)
    assert done.returncode == 1 and b'Traceback' not in done.stderr
    assert done.stderr.splitlines()[-1].startswith(b'error: ' + bytes(home / 'start.pth'))
    python = tmp_path / 'bin' / 'python'
    python.parent.mkdir()
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    env['PATH'] = f'{python.parent}{os.pathsep}{env["PATH"]}'
    words = ['tools/dist_test.sh', 'c.py', 'c.pth', '2', '--allow-partial']
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-4:] == ['c.pth', '--launcher', 'pytorch', '--allow-partial']


def test_pictures_need_the_whole_model(home, tmp_path, monkeypatch):
    torch.save({'x': torch.ones(1)}, home / 'start.pth')
    config = ROOT / 'configs/oicr/oicr_demo.py'
    command = ['visualize', config, home / 'start.pth', '--out', tmp_path / 'shown']
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))
    monkeypatch.setattr(sys, 'argv', [*map(str, command)])
    with pytest.raises(SystemExit, match='start.pth: not of this config: .*unexpected weight: x$'):
        runpy.run_path(str(ROOT / 'tools/visualize.py'), run_name='__main__')


def changed(cfg):
    """The entry ``optimizer`` of a training of other parameters."""
    cfg['param_groups'][0]['params'].pop()
    return cfg


OPTIMIZERS = {
    'fewer parameters': (changed, 'group 0 has 61 parameters, the training has 62'),
    'more groups': (
        lambda s: s | {'param_groups': s['param_groups'] * 2},
        'it has 2 groups of parameters, the training has 1',
    ),
    'no groups': (lambda s: {'state': {}}, 'it has no groups of parameters'),
}


def test_resuming_needs_the_same_parameters(tool, home):
    tool('train', None)
    done = torch.load(home / 'work/epoch_1.pth', weights_only=False)
    for change, words in OPTIMIZERS.values():
        optimizer = change(copy.deepcopy(done['optimizer']))
        more = ['--cfg-options', 'train_cfg.max_epochs=2']
        message, _ = tool('train', done | {'optimizer': optimizer}, 'resume', *more)
        assert f'start.pth: the optimiser is not of this config: {words} (optim_wr' in message


# checkpoint, prefix; words of the error, None: something fits
PRETRAINED = {
    'backbone': (lambda s: {f'backbone.{k}': v for k, v in s.items()}, 'backbone', None),
    'part': (lambda s: dict(list(s.items())[:3]), None, None),
    'other names': (
        lambda s: {f'backbone.{k}': v for k, v in s.items()},
        None,
        'start.pth: init_cfg of backbone (ResNet) finds nothing: of 100 needed weights: 100 miss',
    ),
    'other prefix': (
        lambda s: {f'backbone.{k}': v for k, v in s.items()},
        'encoder',
        "init_cfg of backbone (ResNet) finds nothing below the prefix 'encoder': of 100 needed",
    ),
    'other shapes': (
        lambda s: {k: v.new_zeros((2, *v.shape)) for k, v in s.items()},
        None,
        'finds nothing: of 100 needed weights: 100 other shapes: conv1.weight has shape (2, ',
    ),
}


@pytest.mark.parametrize('kind', PRETRAINED)
def test_pretrained_parts(tool, home, state, kind):
    change, prefix, words = PRETRAINED[kind]
    own = {k.removeprefix('backbone.'): v for k, v in state.items() if k.startswith('backbone.')}
    (home / 'part.py').write_text(
        f'_base_ = "tiny.py"\ninit_cfg = dict(type="Pretrained", checkpoint="{home}/start.pth", '
        f'prefix={prefix!r})\nmodel = dict(backbone=dict(init_cfg=init_cfg))\n'
    )
    message, _ = tool('train', change(own), config='part.py')
    assert message is None if words is None else words in message
    assert (home / 'work/epoch_1.pth').is_file() == (words is None)


def test_pretrained_without_its_file(tool, home):
    options = ['--cfg-options', 'model.backbone.init_cfg.type=Pretrained']
    options += [f'model.backbone.init_cfg.checkpoint={home}/none.pth']
    assert tool('train', None, *options)[0] == f'error: {home}/none.pth: no such file of weights'


def test_order_of_classes(tool, home, state):
    """The data set has a, b, c."""
    for classes, words in (
        (('a', 'b', 'c'), None),
        (('x', 'y', 'z'), None),  # of another data set: names say nothing
        (('a', 'c', 'b'), "has the classes in another order than the config: 'c' in place of 'b'"),
    ):
        content = dict(state_dict=state, meta=dict(dataset_meta=dict(classes=classes)))
        message, output = tool('test', content)
        assert (message is None) == (words is None) == ('accuracy/top1' in output)
        assert words is None or f'start.pth: {words}' in message
    load = ['--cfg-options', f'load_from={home / "start.pth"}']
    message, output = tool('train', content, *load)
    assert message is None and words in output
