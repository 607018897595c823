"""Ten-crop testing of a classifier as a command, against ten crops cut in a plain loop."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata, write_wsol_metadata

from mmpretrain.registry import MODELS

ROOT = Path(__file__).parents[1]
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
SIZES = [(300, 200), (120, 256), (97, 101)]


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')
    yield
    init_default_scope('mmengine')


@pytest.fixture
def data(tmp_path):
    """Three images of noise in large cells, and their metadata."""
    rng = np.random.default_rng(0)
    ids = [f'{n}.png' for n in range(3)]
    (tmp_path / 'images').mkdir()
    for image_id, size in zip(ids, SIZES, strict=True):
        cells = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
        image = cv2.resize(cells, size, interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(tmp_path / 'images' / image_id), image)
    labels, sizes = dict.fromkeys(ids, 3), dict(zip(ids, SIZES, strict=True))
    boxes = {image_id: np.array([[0.0, 0.0, 9.0, 9.0]]) for image_id in ids}
    write_wsol_metadata(WSOLMetadata(tmp_path / 'meta' / 'test', ids, labels, sizes, boxes))
    return tmp_path


def ten_crop_scores(model, path):
    """Mean of the class probabilities of ten crops, (C,)."""
    image = np.array(Image.open(path).resize((256, 256), Image.Resampling.BILINEAR))
    scores = []
    for x, y in ((16, 16), (0, 0), (32, 0), (0, 32), (32, 32)):
        crop = image[y : y + 224, x : x + 224]
        for view in (crop, crop[:, ::-1]):
            pixels = (view.astype(np.float32) - MEAN) / STD
            tensor = torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()).float()
            logits = model.head(model.extract_feat(tensor))
            scores.append(logits.softmax(dim=1)[0])
    assert torch.stack(scores).std(dim=0).max() > 1e-3  # the crops differ
    return torch.stack(scores).mean(dim=0)


def test_ten_crop_as_a_command(data):
    config = data / 'small.py'
    config.write_text(
        f"_base_ = '{ROOT}/configs/psol/classifier_resnet18_cub27.py'\n"
        'model = dict(backbone=dict(base_channels=8, init_cfg=None), head=dict(in_channels=64))\n'
        f"data = dict(data_root='{data}/', data_prefix='images', metadata_root='meta')\n"
        'test_dataloader = dict('
        'num_workers=0, persistent_workers=False, batch_size=2, dataset=data)\n'
    )
    cfg = Config.fromfile(config)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    torch.nn.init.normal_(model.head.fc.weight)
    with torch.no_grad():  # neither nearly equal scores nor a single one
        logits = model.head(model.extract_feat(torch.randn(4, 3, 224, 224)))
        model.head.fc.weight *= 2 / logits.std()
    torch.save(dict(state_dict=model.state_dict()), data / 'small.pth')
    tool = [sys.executable, ROOT / 'tools' / 'test.py', config, data / 'small.pth', '--tta']
    out = data / 'classes.json'
    done = subprocess.run(
        [*tool, '--work-dir', data, '--dump-localization', out],
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '-1'},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(out.read_text())['predictions']
    assert list(found) == ['0.png', '1.png', '2.png']
    for image_id, prediction in found.items():
        with torch.no_grad():
            expected = ten_crop_scores(model, data / 'images' / image_id)
        best = expected.argsort(descending=True)[:5]
        assert prediction['labels'] == best.tolist()
        np.testing.assert_allclose(prediction['scores'], expected[best], rtol=1e-4)
