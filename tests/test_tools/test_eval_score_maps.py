"""tools/eval_score_maps.py, run as a command, and the score maps of tools/test.py."""

import io
import json
import os
import runpy
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[2]
MAIN = runpy.run_path(str(ROOT / 'tools' / 'eval_score_maps.py'))['main']
SIZE = 224
CONFIG = """
default_scope = 'mmpretrain'
test_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='CustomDataset', data_root={images!r}, pipeline=[
        dict(type='LoadImageFromFile'), dict(type='Resize', scale=(32, 32)),
        {wrap}]))
test_evaluator = dict(type='Accuracy', topk=(1,))
test_cfg = dict(type='TestLoop')
custom_imports = dict(imports=['toy_localizer'])
model = dict(
    type='ToyLocalizer', backbone=dict(type='ResNet', depth=18, base_channels=8),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=2, in_channels=64))
"""
MODULE = """
import torch
from mmpretrain.models import ImageClassifier
from mmpretrain.registry import MODELS, TRANSFORMS
from mmcv.transforms import BaseTransform


@MODELS.register_module()
class ToyLocalizer(ImageClassifier):
    def predict(self, inputs, data_samples):
        data_samples = super().predict(inputs, data_samples)
        for number, sample in enumerate(data_samples):
            score_map = torch.zeros(4, 4)
            score_map[1, 2] = 5
            sample.set_field(score_map, 'score_map')
        return data_samples


@TRANSFORMS.register_module()
class NameImage(BaseTransform):
    def transform(self, results):
        results['image_id'] = '/'.join(results['img_path'].split('/')[-2:])
        return results
"""


def run(tool, *args):
    """The tool as a command."""
    return subprocess.run(
        [sys.executable, str(ROOT / 'tools' / tool), *map(str, args)],
        capture_output=True,
        text=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '-1'},
    )


def evaluate(*args):
    """The tool in this process, which spares the imports; the result is like that of a command."""
    out, err = io.StringIO(), io.StringIO()
    argv = ['eval_score_maps.py', *map(str, args)]
    with redirect_stdout(out), redirect_stderr(err), patch.object(sys, 'argv', argv):
        try:
            code = MAIN()
        except SystemExit as stop:
            code = stop.code
    return subprocess.CompletedProcess(argv, code, out.getvalue(), err.getvalue())


def numbers(done):
    """{measure: [percent, threshold]} of the printed table."""
    assert done.returncode == 0, done.stderr
    rows = [line.strip('|').split('|') for line in done.stdout.splitlines() if '|' in line]
    return {name.strip(): [value.strip() for value in values] for name, *values in rows[1:]}


def write_split(root, split, **files):
    (root / split).mkdir(parents=True)
    for name, lines in files.items():
        (root / split / f'{name}.txt').write_text(''.join(f'{line}\n' for line in lines))


def square(x0, y0, x1, y1, value=1.0):
    score_map = np.zeros((SIZE, SIZE))
    score_map[y0 : y1 + 1, x0 : x1 + 1] = value
    return score_map


@pytest.fixture
def boxes(tmp_path):
    """Three images of 448 x 224: a perfect map, one of IoU 0.6 and one that misses."""
    ids = ['a/1.jpg', 'a/2.jpg', 'b/3.jpg']
    write_split(
        tmp_path / 'meta',
        'test',
        image_ids=ids,
        class_labels=[f'{i},0' for i in ids],
        image_sizes=[f'{i},448,224' for i in ids],
        localization=[f'{i},20,10,219,109' for i in ids],  # 10,10,109,109 at 224 x 224
    )
    maps = tmp_path / 'maps'
    for folder in ('a', 'b'):
        (maps / folder).mkdir(parents=True)
    np.save(maps / 'a' / '1.jpg.npy', square(10, 10, 108, 108))  # boxes grow by a pixel
    np.save(maps / 'a' / '2.npy', square(10, 10, 108, 68))
    np.save(maps / 'b' / '3.jpg.npy', square(150, 150, 200, 200))
    return [maps, '--metadata-root', tmp_path / 'meta']


def test_boxes(boxes, tmp_path):
    extra = ['--threshold', '0.4', '--curve', tmp_path / 'c.json', '--plot', tmp_path / 'c.png']
    done = evaluate(*boxes, *extra)
    assert '3 images with boxes' in done.stdout
    assert numbers(done) == {
        'MaxBoxAcc': ['66.67', '0.000'],
        'MaxBoxAccV2': ['55.56', ''],
        'MaxBoxAccV2_30': ['66.67', '0.000'],
        'MaxBoxAccV2_50': ['66.67', '0.000'],
        'MaxBoxAccV2_70': ['33.33', '0.000'],
        'BoxAcc': ['66.67', '0.4'],
        'BoxAccV2': ['55.56', '0.4'],
        'BoxAccV2_30': ['66.67', '0.4'],
        'BoxAccV2_50': ['66.67', '0.4'],
        'BoxAccV2_70': ['33.33', '0.4'],
    }
    curve = json.loads((tmp_path / 'c.json').read_text())
    assert len(curve['thresholds']) == len(curve['BoxAcc']) == 1000
    assert set(curve['BoxAccV2_70']) == {100 / 3}
    picture = cv2.imread(str(tmp_path / 'c.png'))
    assert picture.shape[0] > 300 and picture.std() > 5


def test_as_a_command(boxes):
    done = run('eval_score_maps.py', *boxes)
    assert numbers(done) == numbers(evaluate(*boxes))
    (boxes[0] / 'a' / '2.npy').unlink()
    done = run('eval_score_maps.py', *boxes)
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert done.stderr.splitlines()[-1] == (
        f'eval_score_maps: error: {boxes[0]}: no score map for 1 of 3 images: a/2.jpg'
    )


def test_given_threshold_and_best_one(boxes):
    """Map 1 is the object at .9 inside a larger square at .5: right from threshold .5 on."""
    maps = boxes[0]
    np.save(
        maps / 'a' / '1.jpg.npy', np.maximum(square(0, 0, 223, 223, 0.5), square(10, 10, 108, 108))
    )
    got = numbers(evaluate(*boxes, '--threshold', '0.3'))
    assert got['MaxBoxAcc'] == ['66.67', '0.499']  # int(.499 * 255) = 127 = uint8(.5 * 255)
    assert got['BoxAcc'] == ['33.33', '0.3']
    got = numbers(evaluate(*boxes, '--threshold', '0.6'))
    assert got['BoxAcc'] == ['66.67', '0.6']


def test_other_split_and_alias(boxes, tmp_path):
    (tmp_path / 'meta' / 'test').rename(tmp_path / 'meta' / 'train-fullsup')
    assert numbers(evaluate(*boxes, '--split', 'val'))['MaxBoxAcc'][0] == '66.67'


def test_other_sizes(boxes):
    small = np.zeros((14, 14))
    small[9:12, 9:12] = 3 / 8
    np.save(boxes[0] / 'b' / '3.jpg.npy', small)
    done = evaluate(*boxes)
    assert done.returncode == 1
    assert done.stderr.startswith('eval_score_maps: error: ')
    assert '3.jpg.npy: score map of (14, 14), not (224, 224); --resize' in done.stderr
    assert numbers(evaluate(*boxes, '--resize'))['MaxBoxAcc'][0] == '66.67'


def test_resize_normalises_before_it_checks(boxes):
    """Raw maps: of any size, numbers and type; those in [0, 1] of the right size stay."""
    path = boxes[0] / 'a' / '1.jpg.npy'
    expected = numbers(evaluate(*boxes, '--threshold', '0.4'))
    rounded = np.load(path).astype(np.float32) * np.float32(1.0000001)
    assert rounded.max() > 1
    np.save(path, rounded)
    done = evaluate(*boxes, '--threshold', '0.4')
    assert numbers(done) == expected and 'brought' not in done.stdout
    done = evaluate(*boxes, '--threshold', '0.4', '--resize')
    assert numbers(done) == expected and 'brought' not in done.stdout
    for raw in (square(10, 10, 108, 108, 7.5) - 3, square(10, 10, 108, 108, 200).astype(np.uint8)):
        np.save(path, raw)
        assert evaluate(*boxes).returncode == 1
        done = evaluate(*boxes, '--threshold', '0.4', '--resize')
        assert numbers(done) == expected
        assert '1 maps were brought to 224 x 224 and [0, 1]' in done.stdout
    small = np.zeros((14, 14), np.float32)
    small[9:12, 9:12] = 40
    np.save(boxes[0] / 'b' / '3.jpg.npy', small)
    done = evaluate(*boxes, '--threshold', '0.4', '--resize')
    assert numbers(done) == expected and '2 maps were brought' in done.stdout
    small[0, 0] = np.nan
    np.save(boxes[0] / 'b' / '3.jpg.npy', small)
    done = evaluate(*boxes, '--resize')
    assert done.returncode == 1 and '3.jpg.npy: score map holds NaN' in done.stderr


def test_missing_maps_are_one_error(boxes, tmp_path):
    for number in range(10):
        with open(tmp_path / 'meta' / 'test' / 'image_ids.txt', 'a') as file:
            file.write(f'c/{number}.jpg\n')
        for name, rest in (
            ('class_labels', '0'),
            ('image_sizes', '9,9'),
            ('localization', '0,0,5,5'),
        ):
            with open(tmp_path / 'meta' / 'test' / f'{name}.txt', 'a') as file:
                file.write(f'c/{number}.jpg,{rest}\n')
    done = evaluate(*boxes)
    assert done.returncode == 1 and done.stdout == ''
    (line,) = done.stderr.splitlines()
    assert line == (
        f'eval_score_maps: error: {boxes[0]}: no score map for 10 of 13 images: '
        'c/0.jpg, c/1.jpg, c/2.jpg, c/3.jpg, c/4.jpg, ...'
    )


def test_wrong_input(boxes, tmp_path):
    maps, *rest = boxes
    cases = [
        ([tmp_path / 'none', *rest], 'none: no such folder of score maps'),
        ([*boxes, '--split', 'validation'], "got 'validation'"),
        ([*boxes, '--split', 'val'], "no metadata of split 'val'"),
        ([*boxes, '--masks-root', tmp_path], '--masks-root is for mask data'),
    ]
    for args, message in cases:
        done = evaluate(*args)
        assert done.returncode == 1 and message in done.stderr
        assert len(done.stderr.splitlines()) == 1
    np.save(maps / 'a' / '2.npy', 2 * np.ones((SIZE, SIZE)))
    done = evaluate(*boxes, '--curve', tmp_path / 'c.json')
    assert '2.npy: scores must be in [0, 1], got 2 to 2' in done.stderr
    assert not (tmp_path / 'c.json').exists()
    (tmp_path / 'meta' / 'test' / 'localization.txt').write_text('')
    assert 'neither boxes nor masks' in evaluate(*boxes).stderr


def test_wrong_options(boxes, tmp_path):
    for option, value in (('--threshold', '1'), ('--curve', 'c.txt'), ('--plot', 'c.txt')):
        done = evaluate(*boxes, option, value)
        assert done.returncode == 2 and option in done.stderr and value in done.stderr


def test_masks(tmp_path):
    """Two images in quarters; one has two objects and an ignored quarter, and a wrong map."""
    ids = ['x.jpg', 'y.jpg']
    write_split(
        tmp_path / 'meta',
        'test',
        image_ids=ids,
        class_labels=[f'{i},0' for i in ids],
        localization=['x.jpg,x_0.png,x_ignore.png', 'x.jpg,x_1.png,', 'y.jpg,y_0.png,'],
    )
    planes = {
        'x_0': square(0, 0, 55, 223),
        'x_1': square(56, 0, 111, 223),  # the left half is object, the right quarter ignored
        'x_ignore': square(168, 0, 223, 223),
        'y_0': square(0, 0, 111, 223),
    }
    for name, plane in planes.items():
        cv2.imwrite(str(tmp_path / f'{name}.png'), 255 * plane)
    (tmp_path / 'maps').mkdir()
    np.save(tmp_path / 'maps' / 'x.jpg.npy', 1 - square(0, 0, 111, 223))  # wrong way round
    np.save(tmp_path / 'maps' / 'y.jpg.npy', square(0, 0, 111, 223))
    common = [tmp_path / 'maps', '--metadata-root', tmp_path / 'meta']
    files = ['--curve', tmp_path / 'c.json', '--plot', tmp_path / 'c.png']
    done = evaluate(*common, '--masks-root', tmp_path, *files)
    # score 1: 2 quarters right (y), 1 wrong (x): precision 2/3 for half of the object pixels;
    # score 0: all 4 quarters of object pixels of 7 kept ones
    assert numbers(done) == {'PxAP': [f'{100 * (2 / 3 / 2 + 4 / 7 / 2):.2f}', '']}
    assert '2 images with masks' in done.stdout
    curve = json.loads((tmp_path / 'c.json').read_text())
    assert [len(curve[key]) for key in ('thresholds', 'PxPrec', 'PxRec')] == [1001] * 3
    assert curve['thresholds'][0] == 0 and curve['thresholds'][-1] == 1
    assert curve['PxRec'][0] == 1 and curve['PxRec'][1:] == [0.5] * 1000
    assert curve['PxPrec'] == pytest.approx([4 / 7] + [2 / 3] * 1000)
    assert cv2.imread(str(tmp_path / 'c.png')).std() > 3
    assert '--masks-root must name their folder' in evaluate(*common).stderr
    masks = ['--masks-root', tmp_path]
    assert '--threshold is for box data' in evaluate(*common, *masks, '--threshold', '0.2').stderr
    (tmp_path / 'x_1.png').unlink()
    assert 'x_1.png' in evaluate(*common, *masks).stderr


@pytest.fixture
def toy(forks, tmp_path):
    """Config with a toy localizer, its checkpoint, and the way to run tools/test.py on it."""
    (tmp_path / 'toy_localizer.py').write_text(MODULE)
    for number, folder in enumerate(('cat', 'dog', 'dog')):
        (tmp_path / 'images' / folder).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / 'images' / folder / f'{number}.png'), np.zeros((40, 30, 3)))
    network = pytest.importorskip('mmpretrain.models').ImageClassifier(
        data_preprocessor=dict(type='mmpretrain.ClsDataPreprocessor'),
        backbone=dict(type='mmpretrain.ResNet', depth=18, base_channels=8),
        neck=dict(type='mmpretrain.GlobalAveragePooling'),
        head=dict(type='mmpretrain.LinearClsHead', num_classes=2, in_channels=64),
    )
    torch.save(network.state_dict(), tmp_path / 'toy.pth')

    def test(wrap, *args):
        text = CONFIG.format(images=str(tmp_path / 'images'), wrap=wrap)
        (tmp_path / 'config.py').write_text(text)
        common = [tmp_path / 'config.py', tmp_path / 'toy.pth', '--work-dir', tmp_path / 'work']
        env = {**os.environ, 'PYTHONPATH': str(tmp_path)}
        return forks.run('tools/test.py', *common, *args, env=env)

    return test


def test_dumped_by_a_test_run(toy, tmp_path):
    wrap = "dict(type='NameImage'), dict(type='PackInputs', meta_keys=('image_id', 'img_path'))"
    done = toy(wrap, '--dump-score-maps', tmp_path / 'maps')
    assert done.returncode == 0, done.stderr[-3000:]
    files = sorted(
        str(p.relative_to(tmp_path / 'maps')) for p in (tmp_path / 'maps').rglob('*.npy')
    )
    assert files == ['cat/0.png.npy', 'dog/1.png.npy', 'dog/2.png.npy']
    score_map = np.load(tmp_path / 'maps' / files[0])
    assert score_map.shape == (SIZE, SIZE) and score_map.max() == 1
    peak = np.unravel_index(score_map.argmax(), score_map.shape)
    assert 56 <= peak[0] < 112 <= peak[1] < 168


def test_data_without_image_id(toy, tmp_path):
    done = toy("dict(type='PackInputs')", '--dump-score-maps', tmp_path / 'maps')
    assert done.returncode == 1 and not (tmp_path / 'maps').exists()
    assert done.stderr.splitlines()[-1].startswith('error: --dump-score-maps needs image_id')
    done = toy("dict(type='PackInputs')", '--dump-score-maps', tmp_path / 'maps', '--tta')
    assert 'error: --dump-score-maps does not go with --tta' in done.stderr
