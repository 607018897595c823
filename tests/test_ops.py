"""The stand-in for ``mmcv._ext`` against torchvision, slow loops and, if given, compiled mmcv."""

import importlib.util
import math
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from mmengine.utils.dl_utils import mmcv_full_available

import wsl_plugins
from wsl_plugins import _mmcv_ext

import mmcv.ops

WHEEL = os.environ.get('WSL_PLUGINS_MMCV_WHEEL')
pytestmark = pytest.mark.skipif(
    not wsl_plugins.ops.is_stand_in(), reason='mmcv has compiled operators'
)


def _rois(num: int, images: int, size: float, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    start = torch.rand(num, 2, generator=generator) * size * 0.8
    extent = torch.rand(num, 2, generator=generator) * size * 0.6 + 1
    index = torch.randint(0, images, (num, 1), generator=generator).float()
    return torch.cat([index, start, start + extent], dim=1)


def _features(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(*shape, generator=generator).to(dtype).requires_grad_()


def _slow_iou(a, b, offset):
    width = min(a[2], b[2]) - max(a[0], b[0]) + offset
    height = min(a[3], b[3]) - max(a[1], b[1]) + offset
    inter = max(width, 0) * max(height, 0)
    area = [(box[2] - box[0] + offset) * (box[3] - box[1] + offset) for box in (a, b)]
    return inter / (sum(area) - inter)


@pytest.mark.parametrize('offset', [0, 1])
def test_nms_equals_loop(offset):
    boxes = _rois(60, 1, 30)[:, 1:].round()  # whole pixels: the offset decides close cases
    scores = torch.rand(60, generator=torch.Generator().manual_seed(2))
    kept = []
    for i in scores.argsort(descending=True).tolist():
        box = boxes[i].tolist()
        if all(_slow_iou(box, boxes[k].tolist(), offset) <= 0.4 for k in kept):
            kept.append(i)
    dets, indices = mmcv.ops.nms(boxes, scores, 0.4, offset=offset)
    assert indices.tolist() == kept
    assert torch.equal(dets, torch.cat([boxes, scores[:, None]], dim=1)[kept])


def test_nms_offset_matters():
    boxes = torch.tensor([[0.0, 0, 1, 1], [1, 0, 2, 1]])  # touching: IoU 0, with "+1" 2 / 6
    scores = torch.tensor([0.9, 0.8])
    assert len(mmcv.ops.nms(boxes, scores, 0.3, offset=0)[1]) == 2
    assert len(mmcv.ops.nms(boxes, scores, 0.3, offset=1)[1]) == 1


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('twentieths', range(1, 20))
def test_nms_keeps_what_overlaps_by_the_threshold(twentieths, dtype):
    boxes = torch.tensor([[0, 0, 20, 10], [0, 0, twentieths, 10]], dtype=dtype)
    scores = torch.tensor([0.9, 0.8])
    assert len(mmcv.ops.nms(boxes, scores, twentieths / 20)[1]) == 2
    assert len(mmcv.ops.nms(boxes, scores, twentieths / 20 - 1e-6)[1]) == 1


@pytest.mark.parametrize('dtype', [torch.float64, torch.bfloat16, torch.float16])
def test_nms_other_dtypes(dtype):
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30]], dtype=dtype)
    scores = torch.tensor([0.5, 0.75, 0.25], dtype=dtype)
    dets, indices = mmcv.ops.nms(boxes, scores, 0.5)
    assert indices.tolist() == [1, 2]
    assert dets.dtype == dtype


def test_nms_empty_and_batched():
    empty = torch.zeros(0, 4), torch.zeros(0)
    assert mmcv.ops.nms(*empty, 0.5)[1].tolist() == []
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 9]])
    scores, labels = torch.tensor([0.9, 0.8, 0.7]), torch.tensor([0, 1, 0])
    config = dict(type='nms', iou_threshold=0.5)
    assert mmcv.ops.batched_nms(boxes, scores, labels, config)[1].tolist() == [0, 1]


def _slow_soft_nms(boxes, scores, threshold, sigma, min_score, method, offset):
    scores, left, out = list(scores), list(range(len(boxes))), []
    while left:
        best = max(left, key=lambda i: scores[i])
        out.append((best, scores[best]))
        left.remove(best)
        for i in list(left):
            iou = _slow_iou(boxes[best], boxes[i], offset)
            if method == 'gaussian':
                scores[i] *= math.exp(-(iou**2) / sigma)
            elif iou >= threshold:
                scores[i] *= 1 - iou if method == 'linear' else 0
            if scores[i] < min_score:
                left.remove(i)
    return out


@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
@pytest.mark.parametrize('offset', [0, 1])
def test_soft_nms_equals_loop(method, offset):
    boxes = _rois(40, 1, 20)[:, 1:]
    scores = torch.rand(40, generator=torch.Generator().manual_seed(3))
    args = 0.3, 0.5, 0.05, method, offset
    dets, indices = mmcv.ops.soft_nms(boxes, scores, *args)
    expected = _slow_soft_nms(boxes.tolist(), scores.tolist(), *args)
    assert 1 < len(expected) < 40
    assert indices.tolist() == [index for index, _ in expected]
    torch.testing.assert_close(dets[:, :4], boxes[indices])
    torch.testing.assert_close(dets[:, 4], torch.tensor([score for _, score in expected]))


def test_soft_nms_empty():
    dets, indices = mmcv.ops.soft_nms(torch.zeros(0, 4), torch.zeros(0))
    assert dets.shape == (0, 5) and indices.dtype == torch.long


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_roi_align_equals_torchvision(aligned, sampling_ratio):
    rois, size = _rois(20, 2, 60), (3, 5)
    ours, theirs = _features(2, 4, 15, 16), _features(2, 4, 15, 16)
    out = mmcv.ops.roi_align(ours, rois, size, 0.25, sampling_ratio, 'avg', aligned)
    expected = torchvision.ops.roi_align(theirs, rois, size, 0.25, sampling_ratio, aligned)
    weight = torch.randn(out.shape, generator=torch.Generator().manual_seed(4))
    (out * weight).sum().backward()
    (expected * weight).sum().backward()
    assert torch.equal(out, expected)
    assert torch.equal(ours.grad, theirs.grad)


def test_roi_align_known_values():
    """On f(x, y) = x + 10 y a bin's average is f at its centre (pixel centres are at + 0.5)."""
    y, x = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing='ij')
    feature = (x + 10 * y)[None, None]
    out = mmcv.ops.roi_align(feature, torch.tensor([[0.0, 1, 2, 5, 6]]), 2, 1.0, 0, 'avg', True)
    centres_x, centres_y = torch.tensor([2.0, 4.0]) - 0.5, torch.tensor([3.0, 5.0]) - 0.5
    torch.testing.assert_close(out[0, 0], centres_x[None] + 10 * centres_y[:, None])


def test_roi_pool_equals_torchvision():
    rois, ours, theirs = _rois(30, 2, 60), _features(2, 3, 15, 16), _features(2, 3, 15, 16)
    out = mmcv.ops.roi_pool(ours, rois, 3, 0.25)
    expected = torchvision.ops.roi_pool(theirs, rois, 3, 0.25)
    weight = torch.randn(out.shape, generator=torch.Generator().manual_seed(4))
    (out * weight).sum().backward()
    (expected * weight).sum().backward()
    assert torch.equal(out, expected)
    assert torch.equal(ours.grad, theirs.grad)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('op', ['roi_align', 'roi_pool'])
@pytest.mark.parametrize('autocast', [True, False])
def test_half_precision_is_computed_in_float32(op, dtype, autocast):
    function, rois = getattr(mmcv.ops, op), _rois(10, 2, 60)
    half = _features(2, 4, 15, 16, dtype=dtype)
    full = half.detach().float().requires_grad_()
    with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
        out = function(half, rois, 3, 0.25)
    expected = function(full, rois, 3, 0.25)
    assert out.dtype == dtype
    assert torch.equal(out, expected.to(dtype))
    out.sum().backward()
    expected.sum().backward()
    assert half.grad.dtype == dtype
    assert torch.equal(half.grad, full.grad.to(dtype))


def test_double_passes_gradcheck():
    rois = _rois(3, 1, 24).double()
    feature = _features(1, 2, 6, 6, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: mmcv.ops.roi_align(x, rois, 2, 0.25), feature)
    assert torch.autograd.gradcheck(lambda x: mmcv.ops.roi_pool(x, rois, 2, 0.25), feature)


def test_no_rois():
    for op in (mmcv.ops.roi_align, mmcv.ops.roi_pool):
        feature = _features(1, 2, 6, 6)
        out = op(feature, torch.zeros(0, 5), 2, 0.25)
        assert out.shape == (0, 2, 2, 2)
        out.sum().backward()
        assert not feature.grad.any()


@pytest.mark.parametrize('weighted', [True, False])
def test_sigmoid_focal_loss_equals_loop(weighted):
    logits = torch.tensor([[-3.0, 0.5], [2.0, -1.0], [40.0, -40.0]], requires_grad=True)
    target = torch.tensor([0, 1, 1] if weighted else [0, 2, 1])  # 2 is the background
    weight, gamma, alpha = torch.tensor([1.0, 3.0]) if weighted else None, 2.0, 0.25
    expected = np.zeros((3, 2))
    for n in range(3):
        for c in range(2):
            p = 1 / (1 + np.exp(-logits[n, c].item()))
            if c == target[n]:
                loss = -alpha * (1 - p) ** gamma * np.log(p)
            else:  # in float32 1 - sigmoid(40) is 0: the logarithm is held at the smallest float
                loss = -(1 - alpha) * p**gamma * np.log(max(1 - np.float32(p), 2.0**-126))
            expected[n, c] = loss * (weight[target[n]] if weighted else 1)
    out = mmcv.ops.sigmoid_focal_loss(logits, target, gamma, alpha, weight, 'none')
    np.testing.assert_allclose(out.detach(), expected, rtol=1e-5, atol=1e-7)

    mmcv.ops.sigmoid_focal_loss(logits, target, gamma, alpha, weight, 'sum').backward()
    for n, c in np.ndindex(2, 2):  # central differences
        shift = torch.zeros(3, 2)
        shift[n, c] = 1e-2
        high, low = (
            mmcv.ops.sigmoid_focal_loss(shifted, target, gamma, alpha, weight, 'none')[n, c].item()
            for shifted in (logits + shift, logits - shift)
        )
        assert logits.grad[n, c].item() == pytest.approx((high - low) / 2e-2, rel=1e-3, abs=1e-4)


def _slow_deformable_attention(value, shapes, locations, weights):
    """Deformable DETR (Zhu et al. 2021), eq. 3: weighted bilinear samples, zeros outside."""
    batch, _, heads, channels = value.shape
    _, queries, _, levels, points, _ = locations.shape
    out = np.zeros((batch, queries, heads, channels))
    starts = np.cumsum([0] + [h * w for h, w in shapes])
    for b, q, m, level, k in np.ndindex(batch, queries, heads, levels, points):
        height, width = shapes[level]
        x, y = locations[b, q, m, level, k] * (width, height) - 0.5
        for row in (int(np.floor(y)), int(np.floor(y)) + 1):
            for column in (int(np.floor(x)), int(np.floor(x)) + 1):
                if 0 <= row < height and 0 <= column < width:
                    share = (1 - abs(y - row)) * (1 - abs(x - column)) * weights[b, q, m, level, k]
                    cell = starts[level] + row * width + column
                    out[b, q, m] += share * value[b, cell, m]
    return out.reshape(batch, queries, heads * channels)


def test_deformable_attention_equals_loop_and_gradcheck():
    """Through the function that mmcv uses on CUDA; it works on any device here."""
    function = mmcv.ops.multi_scale_deform_attn.MultiScaleDeformableAttnFunction
    generator, shapes = torch.Generator().manual_seed(5), [(3, 4), (2, 2)]
    value = torch.randn(2, 16, 2, 3, generator=generator, dtype=torch.float64)
    locations = torch.rand(2, 3, 2, 2, 2, 2, generator=generator, dtype=torch.float64) * 1.2 - 0.1
    weights = torch.rand(2, 3, 2, 2, 2, generator=generator, dtype=torch.float64)
    sizes, starts = torch.tensor(shapes), torch.tensor([0, 12])

    def attend(v, s, w):
        return function.apply(v, sizes, starts, s, w, 64)

    expected = _slow_deformable_attention(value.numpy(), shapes, locations.numpy(), weights.numpy())
    np.testing.assert_allclose(attend(value, locations, weights), expected, atol=1e-12)
    leaves = [x.requires_grad_() for x in (value, locations, weights)]
    assert torch.autograd.gradcheck(attend, leaves)


def test_missing_operator_names_itself():
    with pytest.raises(NotImplementedError, match='nms_rotated.*MMCV_WITH_OPS'):
        mmcv.ops.nms_rotated(torch.rand(3, 5), torch.rand(3), 0.5)
    with pytest.raises(NotImplementedError, match="roi_align with pool_mode='max'"):
        mmcv.ops.roi_align(torch.rand(1, 1, 4, 4), torch.rand(1, 5), 2, 1.0, 0, 'max', True)
    with pytest.raises(AttributeError):
        _mmcv_ext.__wrapped__  # noqa: B018  (inspection must not find callables everywhere)


def test_looks_compiled_to_mmengine():
    assert importlib.util.find_spec('mmcv._ext').loader is not None
    assert mmcv_full_available()
    assert 'without compiled' in mmcv.ops.get_compiler_version()


def _python(code: str, *args: str, path: Path | None = None) -> subprocess.CompletedProcess:
    env = {**os.environ, 'OMP_NUM_THREADS': '1'}
    if path is not None:
        env['PYTHONPATH'] = str(path)
    command = [sys.executable, '-c', code, *args]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)


def test_import_is_silent_about_missing_operators():
    done = _python('import wsl_plugins, mmdet.models, mmcv.cnn.bricks.transformer')
    assert done.returncode == 0, done.stderr
    assert 'mmcv-lite' not in done.stderr and 'not compiled' not in done.stdout + done.stderr


MENDED = """
import mmpretrain.models  # tries mmdet.models: some modules stay, with placeholders
import sys
assert 'mmdet.models.losses.focal_loss' in sys.modules
import wsl_plugins
import mmcv.ops
import mmdet.models
from mmdet.models.dense_heads import base_dense_head, reppoints_head
from mmdet.models.losses import focal_loss
from mmcv.cnn.bricks import transformer
assert base_dense_head.batched_nms is mmcv.ops.batched_nms
assert reppoints_head.DeformConv2d is mmcv.ops.DeformConv2d
assert focal_loss._sigmoid_focal_loss is mmcv.ops.sigmoid_focal_loss
assert focal_loss.sigmoid_focal_loss.__module__ == focal_loss.__name__  # mmdet's own one stays
assert transformer.MultiScaleDeformableAttention is mmcv.ops.MultiScaleDeformableAttention
left = [(key, name) for key, module in sys.modules.items() if key.startswith('mmdet.')
        for name, value in vars(module).items() if wsl_plugins.ops._placeholder_of(value)]
assert not left, left
"""


def test_late_import_mends_mmdet():
    done = _python(MENDED)
    assert done.returncode == 0, done.stderr


def _fake_mmcv(folder: Path, ext: str) -> None:
    """An mmcv of the tested version whose ``_ext`` has the given source."""
    (folder / 'mmcv').mkdir()
    (folder / 'mmcv' / '__init__.py').write_text("__version__ = '2.3.6'")
    (folder / 'mmcv' / '_ext.py').write_text(ext)


def test_existing_ext_is_not_replaced(tmp_path):
    _fake_mmcv(tmp_path, 'name = "compiled"')
    code = (
        'import wsl_plugins, mmcv._ext\n'
        'print(wsl_plugins.ops.is_stand_in(), mmcv._ext.name, mmcv._ext.__file__)'
    )
    done = _python(code, path=tmp_path)
    expected = f'False compiled {tmp_path / "mmcv" / "_ext.py"}'
    assert done.stdout.strip() == expected, done.stderr


def test_failure_of_existing_ext_is_not_hidden(tmp_path):
    _fake_mmcv(tmp_path, 'raise ImportError("undefined symbol: abi")')
    done = _python('import wsl_plugins; import mmcv._ext', path=tmp_path)
    assert done.returncode != 0
    assert 'ImportError: undefined symbol: abi' in done.stderr


PARITY = """
import sys
import torch
import wsl_plugins
import mmcv.ops

torch.set_num_threads(1)
generator = torch.Generator().manual_seed(0)


def random(*shape):
    return torch.rand(*shape, generator=generator)


def boxes(num):
    start = random(num, 2) * 60
    return torch.cat([start, start + random(num, 2) * 40 + 0.5], dim=1)


out = {'stand_in': wsl_plugins.ops.is_stand_in(), 'file': str(mmcv._ext.__file__)}
for offset in (0, 1):
    for threshold in (0.2, 0.5, 0.7):
        out['nms', offset, threshold] = mmcv.ops.nms(boxes(300), random(300), threshold, offset)
    for twentieths in range(1, 20):  # whole pixels: many overlaps equal a threshold
        whole = boxes(300).div(4).round().mul(4) + torch.tensor([0, 0, 4, 4])
        out['ties', offset, twentieths] = mmcv.ops.nms(
            whole, random(300), twentieths / 20, offset)
    for method in ('naive', 'linear', 'gaussian'):
        out['soft_nms', offset, method] = mmcv.ops.soft_nms(
            boxes(100), random(100), 0.3, 0.5, 0.05, method, offset)
for aligned in (True, False):
    for sampling_ratio in (0, 2):
        feature = random(2, 5, 12, 13).requires_grad_()
        rois = torch.cat([(random(40, 1) > 0.5).float(), boxes(40)], dim=1)
        pooled = mmcv.ops.roi_align(feature, rois, (3, 4), 0.125, sampling_ratio, 'avg', aligned)
        (pooled * random(*pooled.shape)).sum().backward()
        out['roi_align', aligned, sampling_ratio] = pooled.detach(), feature.grad
try:
    rois = torch.tensor([[0.0, 0, 0, 4, 4]])
    out['roi_pool'] = mmcv.ops.roi_pool(random(1, 1, 8, 8), rois, 2).shape
except RuntimeError as error:
    out['roi_pool'] = str(error)
# what the configs train, on the pooling of this package
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmdet.registry import MODELS

init_default_scope('mmdet')
model = Config.fromfile(sys.argv[2]).model
model.roi_head.shared_head.update(fc_channels=(8, 8), init_cfg=None)
model.roi_head.update(in_channels=8)
torch.manual_seed(0)
head = MODELS.build(model.roi_head)
feature = random(1, 512, 12, 13).requires_grad_()
rois = torch.cat([torch.zeros(40, 1), boxes(40)], dim=1)
vectors = head.eval().roi_features((feature,), rois)
(vectors * random(*vectors.shape)).sum().backward()
out['configs'] = head.bbox_roi_extractor((feature,), rois).detach(), vectors.detach(), feature.grad
torch.save(out, sys.argv[1])
"""
CONFIG = Path(__file__).parents[1] / 'configs' / '_base_' / 'models' / 'wsddn_vgg16.py'


@pytest.mark.skipif(WHEEL is None, reason='WSL_PLUGINS_MMCV_WHEEL (a compiled mmcv) is not set')
def test_parity_with_compiled_mmcv(tmp_path):
    with zipfile.ZipFile(WHEEL) as wheel:
        wheel.extractall(tmp_path / 'site')
    results = []
    for name, path in (('ours', None), ('compiled', tmp_path / 'site')):
        done = _python(PARITY, str(tmp_path / name), str(CONFIG), path=path)
        assert done.returncode == 0, done.stderr
        results.append(torch.load(tmp_path / name, weights_only=True))
    ours, compiled = results
    assert ours.pop('stand_in') and not compiled.pop('stand_in')  # nothing is replaced
    assert compiled.pop('file').startswith(str(tmp_path / 'site')) and ours.pop('file')
    assert 'roi_pool_forward_impl' in compiled.pop('roi_pool')  # no CPU kernel there
    assert ours.pop('roi_pool') == (1, 1, 2, 2)
    assert ours.keys() == compiled.keys()
    for key, values in ours.items():
        # no operator of mmcv; a choice among the same boxes
        exact = key == 'configs' or key[0] == 'ties'
        for mine, theirs in zip(values, compiled[key], strict=True):
            assert not exact or torch.equal(mine, theirs)
            torch.testing.assert_close(
                mine, theirs, rtol=1e-5, atol=1e-5, msg=lambda m, k=key: f'{k}: {m}'
            )
