"""Images of localizers are those of the published code: Pillow's bilinear resize, bit by bit."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as F
from mmengine.config import Config
from PIL import Image

from wsl_plugins.pseudo_boxes.image_batches import read_image
from wsl_plugins.registry import TRANSFORMS

CONFIGS = Path(__file__).parents[2] / 'configs'
SIZES = [(500, 375), (60, 40), (90, 700), (1333, 800), (224, 224)]  # shrunk, enlarged, both


@pytest.fixture(params=SIZES, ids=str)
def image_file(request, tmp_path):
    """A JPEG of noise over smooth patches."""
    width, height = request.param
    rng = np.random.default_rng(width)
    coarse = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    pixels = np.array(Image.fromarray(coarse).resize((width, height))).astype(int)
    pixels += rng.integers(-40, 41, pixels.shape)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(tmp_path / 'a.jpg', quality=95)
    return tmp_path / 'a.jpg'


def steps(name, key):
    cfg = Config.fromfile(CONFIGS / '_base_' / 'datasets' / f'{name}.py')
    return [TRANSFORMS.build(step) for step in cfg[key]]


def through(transforms, **results):
    for transform in transforms:
        results = transform(results)
    return results


def bgr(image):
    """(3, H, W) uint8 of a Pillow image, in the order of OpenCV."""
    return F.pil_to_tensor(image).flip(0)


def test_wsol_test_image(image_file):
    found = through(steps('wsol_cub', 'test_pipeline'), img_path=str(image_file))['inputs']
    assert torch.equal(found, bgr(F.resize(Image.open(image_file), (224, 224))))


def test_psol_test_image_and_ten_crops(image_file):
    resized = F.resize(Image.open(image_file), (256, 256))
    found = through(steps('psol_cub', 'test_pipeline'), img_path=str(image_file))
    assert torch.equal(found['inputs'], bgr(F.center_crop(resized, 224)))
    views = through(steps('psol_ten_crop', 'tta_pipeline'), img_path=str(image_file))['inputs']
    expected = {bgr(view).numpy().tobytes() for view in F.ten_crop(resized, 224)}
    assert {view.numpy().tobytes() for view in views} == expected and len(views) == 10


@pytest.mark.parametrize('name, side', [('psol_cub', 224), ('psol_299', 299)])
def test_psol_crop(image_file, name, side, monkeypatch):
    suffix = '_299' if side == 299 else ''
    load, crop = steps(name, f'train_pipeline{suffix}')[:2]
    results = load(dict(img_path=str(image_file)))
    height, width = results['img'].shape[:2]
    window = (height // 3, width // 4, height // 2, width - width // 4)
    monkeypatch.setattr(crop, 'rand_crop_params', lambda image: window)
    found = crop(dict(results, gt_bboxes=np.array([[0.0, 0.0, width, height]])))['img']
    expected = F.resized_crop(Image.open(image_file), *window, (side, side))
    np.testing.assert_array_equal(found, np.array(expected)[..., ::-1])


def test_ddt_image(image_file):
    found, size = read_image(image_file, 448)
    image = Image.open(image_file)
    assert size == image.size and torch.equal(found, bgr(F.resize(image, (448, 448))))


def test_mask_and_boxes_follow():
    """Nearest neighbour for masks; boxes by the factors of the sides, whatever resizes."""
    resize = TRANSFORMS.build(dict(type='mmpretrain.Resize', scale=(4, 4), backend='pillow'))
    mask = np.arange(64, dtype=np.uint8).reshape(8, 8)
    results = resize(
        dict(
            img=np.zeros((8, 8, 3), np.uint8),
            gt_seg_map=mask,
            gt_bboxes=np.array([[2.0, 4.0, 6.0, 8.0]]),
        )
    )
    np.testing.assert_array_equal(results['gt_seg_map'], mask[1::2, 1::2])
    np.testing.assert_array_equal(results['gt_bboxes'], [[1, 2, 3, 4]])
