"""RoI max pooling against a loop, and the extractor that takes layers of the registry."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from wsl_plugins.models.roi_heads import RoIPool, SingleRoIExtractor

from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor as HostExtractor

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def mmdet_scope():
    init_default_scope('mmdet')
    yield
    init_default_scope('mmengine')


def make_rois(num: int, images: int, size: float) -> torch.Tensor:
    """Also a box of one pixel, one of a tenth, and one that leaves the map."""
    generator = torch.Generator().manual_seed(0)
    start = torch.rand(num, 2, generator=generator) * size * 0.8
    extent = torch.rand(num, 2, generator=generator) * size * 0.6 + 1
    index = torch.randint(0, images, (num, 1), generator=generator).float()
    odd = [[0, 0, 0, 1, 1], [0, 9.6, 9.6, 9.7, 9.7], [0, -1, -1, size + 1, size + 1]]
    return torch.cat([torch.cat([index, start, start + extent], dim=1), torch.tensor(odd)])


def make_feats(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(*shape, generator=generator).to(dtype).requires_grad_()


def slow_roi_pool(feature, roi, bins, scale):
    """Fast R-CNN's pooling: corners rounded to cells, the last cell included, overlapping bins."""
    x1, y1, x2, y2 = (int(np.floor(v * scale + 0.5)) for v in roi[1:])
    height, width = max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1)
    out = np.zeros((feature.shape[1], bins, bins), np.float32)
    gradient = np.zeros_like(feature)
    for i in range(bins):
        for j in range(bins):
            top, bottom = y1 + i * height // bins, y1 - (-(i + 1) * height // bins)
            left, right = x1 + j * width // bins, x1 - (-(j + 1) * width // bins)
            top, left = max(top, 0), max(left, 0)
            cells = feature[int(roi[0]), :, top : max(bottom, 0), left : max(right, 0)]
            if not cells.size:
                continue
            out[:, i, j] = cells.max(axis=(1, 2))
            for channel, plane in enumerate(cells):
                y, x = np.unravel_index(plane.argmax(), plane.shape)
                gradient[int(roi[0]), channel, top + y, left + x] += 1
    return out, gradient


def test_pooling_and_gradient_equal_a_loop():
    rois, feats = make_rois(30, 2, 60), make_feats(2, 3, 15, 16)
    pooled = RoIPool(3, 0.25)(feats, rois)
    pooled.sum().backward()
    slow = [slow_roi_pool(feats.detach().numpy(), roi, 3, 0.25) for roi in rois.tolist()]
    expected, gradients = (torch.from_numpy(np.stack(part)) for part in zip(*slow, strict=True))
    assert torch.equal(pooled, expected)
    torch.testing.assert_close(feats.grad, gradients.sum(dim=0))


def test_rows_and_columns_are_not_swapped():
    feats = torch.arange(20.0).view(1, 1, 4, 5)
    pooled = RoIPool((1, 2), spatial_scale=0.5)(feats, torch.tensor([[0.0, 0, 2, 6, 4]]))
    assert pooled.tolist() == [[[[11.0, 13.0]]]]  # rows 1 and 2, columns 0-1 and 2-3


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize('autocast', [True, False])
def test_other_precisions(dtype, autocast):
    rois, feats = make_rois(10, 2, 60), make_feats(2, 4, 15, 16, dtype=dtype)
    with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
        pooled = RoIPool(3, 0.25)(feats, rois)
    pooled.sum().backward()
    assert pooled.dtype == feats.grad.dtype == dtype
    assert torch.equal(pooled, RoIPool(3, 0.25)(feats.float(), rois).to(dtype))


def test_no_rois():
    feats = make_feats(1, 2, 6, 6)
    pooled = RoIPool(2, 0.25)(feats, torch.zeros(0, 5))
    assert pooled.shape == (0, 2, 2, 2)
    pooled.sum().backward()
    assert not feats.grad.any()


def test_extractor_takes_layers_of_the_registry():
    pool = dict(type='wsl_plugins.RoIPool', output_size=3)
    extractor = SingleRoIExtractor(pool, out_channels=3, featmap_strides=[4, 8])
    assert [type(layer) for layer in extractor.roi_layers] == [RoIPool] * 2
    feats, rois = (make_feats(2, 3, 40, 40), make_feats(2, 3, 20, 20)), make_rois(10, 2, 150)
    pooled, levels = extractor(feats, rois), extractor.map_roi_levels(rois, 2)
    assert set(levels.tolist()) == {0, 1}
    for level, stride in enumerate((4, 8)):
        chosen = levels == level
        assert torch.equal(pooled[chosen], RoIPool(3, 1 / stride)(feats[level], rois[chosen]))


def test_extractor_is_that_of_mmdet_with_layers_of_mmcv():
    align = dict(type='RoIAlign', output_size=3, sampling_ratio=2)
    feats, rois = (make_feats(2, 3, 15, 16),), make_rois(10, 2, 60)
    ours, theirs = (
        kind(align, out_channels=3, featmap_strides=[4])
        for kind in (SingleRoIExtractor, HostExtractor)
    )
    assert torch.equal(ours(feats, rois), theirs(feats, rois))


@pytest.mark.parametrize('name', ['wsl_plugins.RoIPol', 'RoIPol'])
def test_unknown_layer_is_named(name):
    with pytest.raises(ValueError, match=f'no {name!r} is registered'):
        SingleRoIExtractor(dict(type=name, output_size=3), 3, [4])


def test_no_config_names_the_pooling_of_mmcv():
    texts = [path.read_text() for path in (ROOT / 'configs').rglob('*.py')]
    texts += [path.read_text() for path in (ROOT / 'projects').rglob('*.py')]
    named = [name for text in texts for name in re.findall(r"'([\w.]*RoIPool)'", text)]
    assert set(named) == {'wsl_plugins.RoIPool'}
