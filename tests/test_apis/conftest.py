"""Detectors and localizers of the demo configs with random weights, and an image for them."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope, init_default_scope

CONFIGS = Path(__file__).parents[2] / 'configs'
CLASSES = ('ring', 'star', 'cross', 'checker', 'wedge')


@pytest.fixture(autouse=True)
def scope():
    """mmdet's inferencer sets the default scope and leaves it."""
    yield
    init_default_scope('mmengine')


@pytest.fixture
def image():
    """(64, 96, 3) uint8 BGR: rectangles of plain colour, which selective search finds."""
    picture = np.full((64, 96, 3), 40, np.uint8)
    cv2.rectangle(picture, (6, 8), (45, 45), (200, 30, 30), -1)
    cv2.rectangle(picture, (52, 20), (90, 58), (20, 60, 220), -1)
    return picture


@pytest.fixture
def image_file(tmp_path, image):
    path = tmp_path / 'photo.png'
    cv2.imwrite(str(path), image)
    return path


@pytest.fixture
def boxes():
    """(5, 4) proposals of the image; the last is narrower than the demo's pipeline lets through."""
    rows = [[6, 8, 46, 46], [52, 20, 91, 59], [0, 0, 96, 64], [5, 5, 60, 50], [3, 3, 30, 60]]
    return np.array(rows, np.float32)


@pytest.fixture
def trained(tmp_path):
    """Config, checkpoint and model of a config file; ``change`` edits the config first."""

    def make(name, change=lambda cfg: None, classes=CLASSES):
        cfg = Config.fromfile(CONFIGS / name)
        cfg.test_dataloader.dataset.data_root = f'{tmp_path}/'
        change(cfg)
        model = dict(cfg.model)
        if 'data_preprocessor' in cfg:
            model.setdefault('data_preprocessor', cfg.data_preprocessor)
        torch.manual_seed(0)
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            model = MODELS.build(model).eval()
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.kaiming_normal_(parameter)
        path = tmp_path / f'{Path(name).stem}.pth'
        meta = dict(dataset_meta=dict(CLASSES=classes)) if classes else {}
        torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
        return cfg, path, model

    return make
