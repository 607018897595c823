"""The engineer's example: from a COCO file without boxes to pictures, by mmdet's own tools."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import mmdet

ROOT = Path(__file__).parents[1]
TOOLS = Path(mmdet.__file__).parent / '.mim/tools'
EXAMPLE = ROOT / 'projects/mixing_mist_into_mmdet/fast-rcnn_r50_fpn_mist_own.py'
REDUCED = """
_base_ = './birds.py'
model = dict(
    backbone=dict(depth=18, base_channels=4, init_cfg=None),
    neck=dict(in_channels=[4, 8, 16, 32], out_channels=8),
    roi_head=dict(
        in_channels=16,
        bbox_roi_extractor=dict(out_channels=8),
        shared_head=dict(in_channels=8, fc_channels=(16, 16))))
train_dataloader = dict(num_workers=0, persistent_workers=False)
val_dataloader = test_dataloader = dict(num_workers=0, persistent_workers=False)
train_cfg = dict(max_epochs=1)
default_hooks = dict(logger=dict(interval=1))
"""


def run(*command, cwd):
    """Output of a command that succeeds."""
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '-1'}
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        env=env,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


def write_birds(folder: Path) -> None:
    """Four images to train with, whose annotations have no box, and two to test with."""
    for name, count in (('train', 4), ('val', 2)):
        (folder / name).mkdir(parents=True)
        images, annotations = [], []
        for number in range(1, count + 1):
            image = np.full((48, 64, 3), 90, np.uint8)
            x, y, w, h = 4 * number, 8, 20, 20 if number % 2 else 8
            image[y : y + h, x : x + w] = 255
            cv2.imwrite(str(folder / name / f'{number}.png'), image)
            images.append(dict(id=number, file_name=f'{number}.png', width=64, height=48))
            label = dict(id=number, image_id=number, category_id=2 - number % 2)
            box = dict(bbox=[x, y, w, h], area=w * h, iscrowd=0) if name == 'val' else {}
            annotations.append({**label, **box})
        categories = [dict(id=1, name='emu'), dict(id=2, name='owl')]
        content = dict(images=images, annotations=annotations, categories=categories)
        (folder / f'{name}.json').write_text(json.dumps(content))


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    """A folder with the data, their proposals and the example, which lies beside a smaller one."""
    folder = tmp_path_factory.mktemp('project')
    write_birds(folder / 'data/birds')
    for name in ('train', 'val'):
        images, boxes = f'data/birds/{name}', f'data/birds/{name}.npz'
        run('-m', 'wsl_plugins', 'proposals', images, '--out', boxes, cwd=folder)
    (folder / 'birds.py').write_text(EXAMPLE.read_text())
    (folder / 'small.py').write_text(REDUCED)
    return folder


@pytest.fixture(scope='module')
def trained(project):
    """What mmdet's own tool prints when it trains the example for an epoch."""
    return run(TOOLS / 'train.py', 'small.py', '--work-dir', 'out', cwd=project)


def test_trains_from_labels_without_boxes(project, trained):
    assert re.search(r'Epoch\(train\)\s+\[1\]\[2/2\].* loss_mil: \d', trained), trained[-3000:]
    assert re.search(r's0\.loss_bbox: \d', trained)
    assert 'coco/bbox_mAP: ' in trained
    assert (project / 'out/epoch_1.pth').is_file()
