"""``import wsl_plugins.ops``: without mmdet, under mmdet's own tools, and what its page says."""

import importlib.util
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import wsl_plugins
from wsl_plugins import _mmcv_ext

import mmcv.ops

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / 'docs' / 'operators.md').read_text(encoding='utf-8')
MMDET = Path(importlib.util.find_spec('mmdet').origin).parent / '.mim'
pytestmark = pytest.mark.skipif(
    not wsl_plugins.ops.is_stand_in(), reason='mmcv has compiled operators'
)

# What a fresh environment with torch, torchvision and mmcv (which brings mmengine) has.
WITHOUT_MMDET = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in ('mmdet', 'mmpretrain'):
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)

from importlib import metadata, util
found, version = util.find_spec, metadata.version
util.find_spec = lambda name, *a: None if name in ('mmdet', 'mmpretrain') else found(name, *a)

def no_version(name):
    if 'mmdet' in name or 'mmpretrain' in name:
        raise metadata.PackageNotFoundError(name)
    return version(name)

metadata.version = no_version
sys.meta_path.insert(0, Absent())
"""
ALONE = """
import wsl_plugins.ops
import torch
import mmcv.ops

kept = mmcv.ops.nms(torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 8]]), torch.tensor([0.6, 0.7]), 0.5)[1]
assert kept.tolist() == [1]
ours = sorted(name for name in sys.modules if name.startswith('wsl_plugins.'))
names = ['_mmcv_ext', 'config_names', 'ops', 'stack']
assert ours == [f'wsl_plugins.{name}' for name in names], ours
assert not {'mmdet', 'mmpretrain', 'scipy.stats'} & set(sys.modules)
try:
    import wsl_plugins.registry
except ImportError as error:
    assert 'mmdet is missing' in str(error), error
else:
    raise AssertionError('the registry does not ask for mmdet')
"""


def _python(code: str, *args: str | Path, cwd: Path) -> subprocess.CompletedProcess:
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '-1'}
    command = [sys.executable, '-c', code, *map(str, args)]
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=300)


def test_works_without_mmdet_and_brings_nothing_else(tmp_path):
    done = _python(WITHOUT_MMDET + ALONE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


CONFIG = """
_base_ = ['mmdet::_base_/models/faster-rcnn_r50_fpn.py', 'mmdet::_base_/default_runtime.py']
model = dict(
    backbone=dict(depth=18, base_channels=8, init_cfg=None),
    neck=dict(in_channels=[8, 16, 32, 64], out_channels=16),
    rpn_head=dict(in_channels=16, feat_channels=16),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=16),
        bbox_head=dict(in_channels=16, fc_out_channels=32, num_classes=2)))
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(64, 64), keep_ratio=True),
    dict(type='PackDetInputs',
         meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))]
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='CocoDataset', ann_file='boxes.json', data_prefix=dict(img='images/'),
                 metainfo=dict(classes=('square', 'bar')), pipeline=pipeline))
val_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(train_dataloader['dataset'], test_mode=True))
val_evaluator = dict(type='CocoMetric', ann_file='boxes.json')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2, val_interval=2)
val_cfg = dict(type='ValLoop')
default_hooks = dict(checkpoint=None, logger=dict(interval=1))
log_processor = dict(by_epoch=False)
"""


def _write_coco(folder: Path) -> None:
    (folder / 'images').mkdir()
    images, annotations = [], []
    for number in range(1, 4):
        image = np.full((48, 64, 3), 30 * number, np.uint8)
        x, y, w, h = 4 * number, 8, 20, 20 if number % 2 else 8
        image[y : y + h, x : x + w] = 255
        cv2.imwrite(str(folder / 'images' / f'{number}.png'), image)
        images.append(dict(id=number, file_name=f'{number}.png', width=64, height=48))
        box = dict(id=number, image_id=number, bbox=[x, y, w, h], area=w * h, iscrowd=0)
        annotations.append(dict(box, category_id=1 if number % 2 else 2))
    categories = [dict(id=1, name='square'), dict(id=2, name='bar')]
    content = dict(images=images, annotations=annotations, categories=categories)
    (folder / 'boxes.json').write_text(json.dumps(content))


BEFORE = "import runpy, wsl_plugins.ops; runpy.run_path({tool!r}, run_name='__main__')"
PLAIN = "import runpy; runpy.run_path({tool!r}, run_name='__main__')"
IMPORTS = "custom_imports = dict(imports=['wsl_plugins.ops'])\n"


@pytest.mark.parametrize(('code', 'line'), [(BEFORE, ''), (PLAIN, IMPORTS)], ids=['-c', 'config'])
def test_mmdets_own_tool_trains_its_own_detector(tmp_path, code, line):
    _write_coco(tmp_path)
    (tmp_path / 'config.py').write_text(CONFIG + line)
    code = code.format(tool=str(MMDET / 'tools' / 'train.py'))
    done = _python(code, 'config.py', '--work-dir', 'out', cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    log = done.stdout + done.stderr
    assert re.search(r'Iter\(train\) \[2/2\].* loss: \d', log), log[-3000:]
    assert re.search(r'Iter\(val\) \[3/3\].* coco/bbox_mAP: ', log), log[-3000:]


def test_without_the_line_mmdet_misses_the_operators(tmp_path):
    (tmp_path / 'config.py').write_text(CONFIG)
    code = PLAIN.format(tool=str(MMDET / 'tools' / 'train.py'))
    done = _python(code, 'config.py', '--work-dir', 'out', cwd=tmp_path)
    assert done.returncode != 0 and "No module named 'mmcv._ext'" in done.stderr, done.stderr[
        -3000:
    ]


def _named(text: str) -> list[str]:
    return [name for name in re.findall(r'`(\w+)`', text) if name in mmcv.ops.__all__]


def test_page_names_every_operator_once():
    assert sorted(_named(PAGE)) == sorted(mmcv.ops.__all__)


def _compiled_functions(name: str) -> set[str]:
    """Functions of ``mmcv._ext`` that the module of an operator calls."""
    operator = getattr(mmcv.ops, name)
    home = getattr(operator, '__self__', operator).__module__  # that of X for a method X.apply
    return set(re.findall(r'ext_module\.(\w+)', inspect.getsource(sys.modules[home])))


def test_page_says_what_is_there():
    there, absent = PAGE.split('## Not there')
    table = there.split('## There')[1].split('PyTorch code of mmcv')[0]
    defined = {name for name in vars(_mmcv_ext) if not name.startswith('_')}
    for name in _named(table):
        assert _compiled_functions(name) & defined, name
    built_on_others = {
        name for name in _named(absent) if not _compiled_functions(name) - defined
    }  # of operators in other modules that are not there
    sparse = {name for name in mmcv.ops.__all__ if re.match('Sparse.*[23]d|SubM', name)}
    assert built_on_others == sparse | {'PointsSampler'}
