"""tools/analysis/model_cost.py: rows of detectors and regressors, as a command and by its parts."""

import argparse
import io
import os
import re
import runpy
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from mmengine.registry import init_default_scope
from torch import nn

TOOL = Path(__file__).parents[2] / 'tools' / 'analysis' / 'model_cost.py'
PARTS = runpy.run_path(str(TOOL))
BACKBONE = """dict(
        type='mmdet.ResNet', depth=18, base_channels=4, stem_channels=4, num_stages=2,
        strides=(1, 2), dilations=(1, 1), out_indices=(1,), norm_eval=False,
        init_cfg=dict(type='Pretrained', checkpoint='not/there.pth'))"""
DETECTOR = f"""
model = dict(
    type='mmdet.FCOS',
    data_preprocessor=dict(type='mmdet.DetDataPreprocessor', pad_size_divisor=8),
    backbone={BACKBONE},
    neck=None,
    bbox_head=dict(
        type='mmdet.FCOSHead', num_classes=1, in_channels=8, feat_channels=64, stacked_convs=1,
        strides=[8], regress_ranges=((-1, 1e8),)),
    test_cfg=dict(nms_pre=20, min_bbox_size=0, score_thr=0.5,
                  nms=dict(type='nms', iou_threshold=0.5), max_per_img=5))
"""
REGRESSOR = f"""
data_preprocessor = dict(num_classes=5)
default_scope = 'mmpretrain'
model = dict(
    type='ImageClassifier',
    backbone={BACKBONE},
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='wsl_plugins.BoxRegressionHead', in_channels=8, hidden_channels=10000))
"""


@pytest.fixture(autouse=True)
def _scope():
    yield
    init_default_scope('mmengine')


@pytest.fixture
def configs(tmp_path):
    for name, text in (('det', DETECTOR), ('reg', REGRESSOR), ('none', 'a = 1\n')):
        (tmp_path / f'{name}.py').write_text(text)
    return tmp_path


def cost(*args, command=False):
    """The tool, in this process unless ``command``."""
    argv = [str(TOOL), *map(str, args)]
    if command:
        env = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '-1'}
        return subprocess.run([sys.executable, *argv], capture_output=True, text=True, env=env)
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), patch.object(sys, 'argv', argv):
        try:
            code = PARTS['main']()
        except SystemExit as stop:
            code = stop.code
    return subprocess.CompletedProcess(argv, code, out.getvalue(), err.getvalue())


def table(done):
    """{model: the four numbers as text}."""
    assert done.returncode == 0, done.stderr
    lines = [line.strip('|').split('|') for line in done.stdout.splitlines() if '|' in line]
    return {cells[0].strip(): [c.strip() for c in cells[1:]] for cells in lines[2:]}


def test_command(configs):
    """199 classes more are 199 filters of 64 x 3 x 3 and their offsets; FC layers by hand."""
    pytest.importorskip('mmpretrain')
    det, reg = configs / 'det.py', configs / 'reg.py'
    rows = (reg, det, f'{det}:model.bbox_head.num_classes=200,model.bbox_head.strides=[8]')
    done = cost(*rows, '--size', 32, '--batch-size', 2, '--iters', 1, command=True)
    found = table(done)
    wide = 'det model.bbox_head.num_classes=200 model.bbox_head.strides=[8]'
    assert list(found) == ['reg', 'det', wide]
    assert 'batches of 2 images of 32 x 32 pixels, cpu, 1 threads' in done.stdout
    added = float(found[wide][0]) - float(found['det'][0])
    assert added == pytest.approx(199 * (64 * 9 + 1) / 1e6, abs=0.0101)
    assert float(found['reg'][0]) == pytest.approx(
        (8 * 10000 + 10000 + 4 * 10000 + 4) / 1e6, abs=0.0151
    )
    for row in found.values():
        assert row[0] == row[1] and all(0 < float(value) < 60 for value in row[2:])
    bad = cost(configs / 'none.py', command=True)
    assert bad.returncode == 1
    assert bad.stderr.splitlines()[-1] == f"model_cost: error: {configs}/none.py has no 'model'"


def test_frozen_and_one_sided(configs):
    """Frozen backbone: the FCOS head alone is trainable; times only of what is asked for."""
    # two towers of a convolution without bias and GN, six outputs, a scale
    head = 2 * (64 * 64 * 9 + 2 * 64) + (64 * 9 + 1) * (1 + 4 + 1) + 1
    det = f'{configs / "det.py"}:model.backbone.base_channels=32,model.bbox_head.in_channels=64'
    options = ('--cfg-options', 'model.backbone.frozen_stages=2', '--size', 32, '--iters', 1)
    (row,) = table(cost(det, *options, '--inference')).values()
    assert float(row[0]) > 2 * float(row[1])
    assert float(row[1]) == pytest.approx(head / 1e6, abs=0.0051)
    assert row[2] == '' and float(row[3]) > 0
    (row,) = table(cost(det, *options, '--backward')).values()
    assert float(row[2]) > 0 and row[3] == ''


class Fake(nn.Module):
    """Counts its steps."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.steps = []

    def train_step(self, batch, optim_wrapper):
        self.steps.append(('train', self.training, torch.is_grad_enabled()))

    def test_step(self, batch):
        self.steps.append(('test', self.training, torch.is_grad_enabled()))


@pytest.mark.parametrize('training', [True, False])
def test_median_without_the_first(training, monkeypatch):
    clock = iter([0, 100, 200, 205, 300, 301, 400, 402])
    monkeypatch.setattr('time.perf_counter', lambda: next(clock))
    function = PARTS['median_seconds']
    monkeypatch.setitem(function.__globals__, 'make_batch', lambda *args: {})
    args = argparse.Namespace(iters=3, batch_size=1, size=8)
    model = Fake()
    assert function(model, training, args, torch.device('cpu')) == 2
    assert model.steps == [('train' if training else 'test', training, training)] * 4


def test_rows(configs):
    det = str(configs / 'det.py')
    parse = PARTS['parse_row']
    assert parse(det) == (det, {})
    got = parse(f'{det}:a.b=1,c=[1,2],d=(3,4),e=x')
    assert got == (det, {'a.b': 1, 'c': [1, 2], 'd': (3, 4), 'e': 'x'})


@pytest.mark.parametrize(
    'args, code, message',
    [
        (['nowhere.py'], 1, 'model_cost: error: nowhere.py: no such config'),
        (['{det}', 'nowhere.py:a=1'], 1, 'model_cost: error: nowhere.py: no such config'),
        (['{det}:a'], 1, "a setting is key=value, got 'a'"),
        (['{det}:model.bbox_head.color=1'], 1, 'cannot be built: .*color'),
        (['{det}:model.type=mmdet.Nothing'], 1, 'cannot be built: .*mmdet.Nothing'),
        (['{det}', '--iters', 0], 2, '--iters must be at least 1, got 0'),
        (['{det}', '--device', 'tpu'], 2, "--device must be 'cpu', .* got 'tpu'"),
        (['{det}', '--backward', '--inference'], 2, 'not allowed with'),
    ],
)
def test_bad_input(configs, args, code, message):
    done = cost(*(str(arg).format(det=configs / 'det.py') for arg in args))
    assert done.returncode == code, done.stderr
    assert re.search(message, done.stderr), done.stderr
    assert done.stdout == '' and (code == 2 or done.stderr.count('\n') == 1)
