"""A box regressor learns the objects of the generated data set from boxes that are often wrong."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata
from wsl_plugins.pseudo_boxes import PseudoBoxFile

ROOT = Path(__file__).parents[1]
NOISE = 0.2  # standard deviation of each side of a box, over the size of the box


@pytest.fixture
def demo_set(tmp_path):
    out = tmp_path / 'demo'
    tool = [sys.executable, ROOT / 'tools' / 'make_wsol_demo.py', '--out', out]
    subprocess.run([*tool, '--train', '1', '--fullsup', '60'], check=True, capture_output=True)
    return out


def iou(a, b):
    """Of two boxes xyxy, exclusive ends."""
    inner = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return inner / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inner)


def write_noisy_boxes(demo_set):
    """Pseudo boxes of train-fullsup; the part of them, in percent, that have an IoU of 0.5."""
    metadata = WSOLMetadata.load(demo_set / 'metadata', 'train-fullsup')
    rng = np.random.default_rng(0)
    rows, overlaps = {}, []
    for image_id, (width, height) in metadata.sizes.items():
        box = metadata.boxes[image_id][0] + (0, 0, 1, 1)
        moved = box + rng.normal(0, NOISE, 4) * np.tile(box[2:] - box[:2], 2)
        moved = np.clip(moved, 0, (width, height) * 2)
        rows[image_id] = [(moved, metadata.labels[image_id], float('nan'))]
        overlaps.append(iou(moved, box))
    classes = {label: str(label) for label in range(5)}
    boxes = PseudoBoxFile.from_rows(metadata.sizes, rows, classes, {})
    boxes.save(demo_set / 'pseudo_boxes.json')
    return 100 * np.mean(np.array(overlaps) >= 0.5)


def test_regressor_is_better_than_its_boxes(demo_set, tmp_path):
    own = write_noisy_boxes(demo_set)
    cfg = Config.fromfile(ROOT / 'configs' / 'psol' / 'psol_demo.py')
    for loop in ('train', 'val', 'test'):
        cfg[f'{loop}_dataloader'].dataset.data_root = str(demo_set)
    cfg.train_dataloader.dataset.split = 'train-fullsup'
    cfg.work_dir = str(tmp_path)
    cfg.randomness = dict(seed=0)
    cfg.train_cfg.val_interval = 30
    cfg.default_hooks.logger.interval = 1000
    try:
        runner = Runner.from_cfg(cfg)
        before = runner.test()['wsol/gt_known_loc']
        runner.train()
        after = runner.test()['wsol/gt_known_loc']
    finally:
        init_default_scope('mmengine')
    print(f'GT-known Loc: untrained {before}, pseudo boxes of training {own}, regressor {after}')
    assert before < 20 and 65 < own < 85
    assert after > own + 5
