"""Sub-batches against one call, and against slices whose activations are kept."""

import gc
import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.ops import roi_align

import wsl_plugins  # noqa: F401
from wsl_plugins.engine.sequential import check_chunkable, sequential_roi_forward
from wsl_plugins.models.layers import ConcreteDropBlock, DropBlock
from wsl_plugins.models.roi_heads import FCSharedHead

from mmdet.models.layers import DropBlock as MMDetDropBlock
from mmdet.models.roi_heads.shared_heads import ResLayer

COUNTS = (7, 0, 12, 4)  # proposals of each image
R = sum(COUNTS)


def make_rois(counts=COUNTS, size=64, dtype=torch.float64):
    generator = torch.Generator().manual_seed(3)
    index = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    start = torch.rand(len(index), 2, generator=generator, dtype=dtype) * size / 2
    side = torch.rand(len(index), 2, generator=generator, dtype=dtype) * size / 2 + 4
    return torch.cat([index[:, None].to(dtype), start, start + side], dim=1)


class RoIPart(nn.Module):
    """RoI align, then layers; float64."""

    def __init__(self, *layers, size=3):
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.size = size
        self.double().train()

    def forward(self, feats, rois):
        return self.layers(roi_align(feats[0], rois.to(feats[0].dtype), self.size, 1 / 8))


def plain():
    return RoIPart(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(72, 5))


def vgg16():
    """fc6 and fc7 with their dropout, narrow."""
    return RoIPart(FCSharedHead(in_channels=8, roi_feat_size=7, fc_channels=(32, 16)), size=7)


def vgg16_drop():
    drop = ConcreteDropBlock(in_channels=8, temperature=0.5)
    head = FCSharedHead(in_channels=8, roi_feat_size=7, fc_channels=(32, 16))
    return RoIPart(drop, head, size=7)


def c4():
    """Layer 4 of ResNet-50 with frozen statistics, before it the drop layer that it has in MIST."""
    layer = ResLayer(50, stage=3, norm_eval=True, norm_cfg=dict(type='BN', requires_grad=True))
    drop = ConcreteDropBlock(in_channels=1024, mid_channels=4, temperature=0.5)
    return RoIPart(nn.Conv2d(8, 1024, 1), drop, layer)


def c4_plain():
    layer = ResLayer(50, stage=3, norm_eval=True, norm_cfg=dict(type='BN', requires_grad=True))
    return RoIPart(nn.Conv2d(8, 1024, 1), layer)


PARTS = [plain, vgg16, vgg16_drop, c4_plain, c4]


def run(model, feats, rois, forward):
    """Loss (in which all proposals meet) and gradients of the features and all parameters."""
    model.zero_grad()
    feats = feats.clone().requires_grad_()
    output = forward(model, (feats,), rois).flatten(1)
    weights = torch.linspace(-1, 1, output.shape[1], dtype=output.dtype)
    loss = ((output @ weights).softmax(dim=0)[:, None] * output).square().sum()
    loss.backward()
    grads = {name: p.grad for name, p in model.named_parameters()}
    return loss.detach(), dict(grads, feats=feats.grad)


def in_sub_batches(size, kept=None):
    return lambda model, feats, rois: sequential_roi_forward(model, feats, rois, size, kept=kept)


@pytest.fixture
def noise(monkeypatch):
    """Let every random number of the layers come from ``torch.rand_like``, recorded on the way.

    One call draws other numbers than sub-batches do. So the sub-batches go first, with true
    randomness, and the one call gets what they drew, joined along the proposals.
    """
    real = torch.rand_like
    recorded = []

    def record(x):
        recorded.append(real(x))
        return recorded[-1]

    def dropout(x, p=0.5, training=True, inplace=False):
        return x * (torch.rand_like(x) >= p) / (1 - p) if training else x

    def replay(drawn, slices):
        layers = len(drawn) // slices
        queue = [torch.cat(drawn[layer::layers]) for layer in range(layers)]
        monkeypatch.setattr(torch, 'rand_like', lambda x: queue.pop(0))
        return queue

    monkeypatch.setattr(F, 'dropout', dropout)
    monkeypatch.setattr(torch, 'rand_like', record)
    return recorded, replay


@pytest.mark.parametrize(
    'part, size, kept',
    [(part, size, None) for part in PARTS[:3] for size in (1, 5, R - 1, R, R + 9)]
    + [(PARTS[2], 5, kept) for kept in (0, 1, 13, R - 1, R, R + 9)]
    + [(PARTS[3], 6, None), (PARTS[4], 6, 17)],
)
def test_equals_one_call(part, size, kept, noise):
    recorded, replay = noise
    torch.manual_seed(0)
    model, feats, rois = part(), torch.randn(4, 8, 8, 8, dtype=torch.float64), make_rois()
    keeping = min(size if kept is None else kept, R)
    again = -(-(R - keeping) // size)
    slices = again + -(-keeping // size)
    forward_draws = []

    def forward(*args):
        output = in_sub_batches(size, kept)(*args)
        forward_draws.extend(recorded)
        return output

    loss, grads = run(model, feats, rois, forward)
    for draw in recorded[len(forward_draws) :]:  # slices that keep nothing draw the same once more
        assert any(torch.equal(draw, old) for old in forward_draws)
    random = part not in (plain, c4_plain)
    assert len(recorded) * slices == len(forward_draws) * (slices + again)
    assert bool(forward_draws) == random

    rest = replay(forward_draws, slices)
    expected_loss, expected = run(model, feats, rois, lambda model, *args: model(*args))
    assert not rest
    torch.testing.assert_close(loss, expected_loss, rtol=1e-10, atol=0)
    assert grads.keys() == expected.keys()
    for name, grad in grads.items():
        scale = expected[name].abs().max()
        assert (grad - expected[name]).abs().max() <= 1e-10 * scale, name
        assert scale > 0 or '.net.' in name, name
    for name in ('feats', *(name for name in grads if name.endswith('.net.logit.weight'))):
        assert (grads[name] != 0).any(), name


@pytest.mark.parametrize('amp', [False, True])
def test_recomputes_what_the_forward_pass_did(amp):
    """Bit by bit the same as slices that keep their activations: masks of ``nn.Dropout``, type."""
    torch.manual_seed(0)
    model = vgg16_drop()
    feats, rois = torch.randn(4, 8, 8, 8), make_rois(dtype=torch.float32)
    if amp:
        model.float()
    else:
        feats, rois = feats.double(), rois.double()

    def slices(model, feats, rois):
        return torch.cat([model(feats, part) for part in rois.split([R % 6, 6, 6, 6])])

    results = []
    for forward in (slices, in_sub_batches(6)):
        torch.manual_seed(1)
        with torch.autocast('cpu', torch.bfloat16, enabled=amp):
            results.append((*run(model, feats, rois, forward), torch.rand(3)))
    (loss, grads, after), (other_loss, other_grads, other_after) = results
    assert torch.equal(loss, other_loss) and torch.equal(after, other_after)
    for name, grad in grads.items():
        assert torch.equal(grad, other_grads[name]), name
    assert (grads['layers.0.net.logit.weight'] != 0).any()


def test_real_dropout_has_one_mask():
    """The mask that the output shows is the one that the gradient shows."""
    rois = torch.ones(30, 5, requires_grad=True)
    output = sequential_roi_forward(lambda feats, rois: F.dropout(rois, 0.5), (), rois, 4)
    output.sum().backward()
    assert 0 < (output == 0).sum() < output.numel()
    assert torch.equal(rois.grad, output.detach())


def test_calls():
    """Which slices run, and which run again: the remainder first, the kept ones only once."""
    calls = []
    weight = torch.ones(1, requires_grad=True)

    def fn(feats, rois):
        calls.append(rois[:, 0].tolist())
        return (rois[:, :1] * weight).exp()

    rois = torch.arange(5.0)[:, None].repeat(1, 5)
    output = sequential_roi_forward(fn, (), rois, 2)
    assert calls == [[0], [1, 2], [3, 4]]
    output.sum().backward()
    assert calls[3:] == [[1, 2], [0]]
    torch.testing.assert_close(weight.grad, (rois[:, 0] * rois[:, 0].exp()).sum()[None])

    for count, size, expected in [(4, 2, [2, 2]), (3, 3, [3]), (2, 5, [2]), (0, 3, [0])]:
        calls.clear()
        sequential_roi_forward(fn, (), rois[:count], size).sum().backward()
        assert [len(call) for call in calls[: len(expected)]] == expected
    for kept, slices, again in [
        (0, [1, 2, 2], [2, 2, 1]),
        (1, [2, 2, 1], [2, 2]),
        (3, [2, 1, 2], [2]),
        (5, [1, 2, 2], []),
        (9, [1, 2, 2], []),
    ]:
        calls.clear()
        sequential_roi_forward(fn, (), rois, 2, kept=kept).sum().backward()
        assert [len(call) for call in calls] == slices + again
        assert sum(calls[: len(slices)], []) == rois[:, 0].tolist()
        assert sorted(sum(calls[len(slices) :], [])) == rois[: max(5 - kept, 0), 0].tolist()
    calls.clear()
    with torch.no_grad():
        output = sequential_roi_forward(fn, (), rois, 2)
    assert not output.requires_grad and len(calls) == 3


def test_no_rois_keep_the_graph():
    model = plain()
    feats = torch.randn(1, 8, 8, 8, dtype=torch.float64, requires_grad=True)
    output = sequential_roi_forward(model, (feats,), make_rois((0,)), 3)
    assert output.shape == (0, 5)
    output.sum().backward()
    assert all((p.grad == 0).all() for p in model.parameters())


def test_structures():
    def fn(feats, rois):
        return dict(a=rois[:, 0], b=(rois, None, [rois[:, 1:3]]), c=None)

    rois = make_rois()
    output = sequential_roi_forward(fn, (), rois, 5)
    assert output['c'] is None and output['b'][1] is None
    assert isinstance(output['b'], tuple) and isinstance(output['b'][2], list)
    for found, expected in zip(
        (output['a'], output['b'][0], output['b'][2][0]),
        (rois[:, 0], rois, rois[:, 1:3]),
        strict=True,
    ):
        assert torch.equal(found, expected)


@pytest.mark.parametrize(
    'output, error, words',
    [
        (lambda rois: rois.sum(), ValueError, r'output has shape \(\) for 3 rois'),
        (lambda rois: dict(a=rois[:2]), ValueError, r"output\['a'\] has shape \(2, 5\) for 3 rois"),
        (lambda rois: (rois, 3.0), TypeError, r'output\[1\] is a float'),
    ],
)
def test_refuses_other_outputs(output, error, words):
    with pytest.raises(error, match=words):
        sequential_roi_forward(lambda feats, rois: output(rois), (), make_rois(), 4)


@pytest.mark.parametrize('size', [0, -3])
def test_refuses_sizes(size):
    with pytest.raises(ValueError, match=f'sub_batch_size must be at least 1, got {size}'):
        sequential_roi_forward(lambda feats, rois: rois, (), make_rois(), size)


MIXING = dict(
    bn=lambda: nn.BatchNorm2d(8),
    sync=lambda: nn.SyncBatchNorm(8),
    instance=lambda: nn.InstanceNorm2d(8, track_running_stats=True),
    batch=lambda: DropBlock(rescale='batch'),
    mmdet=lambda: MMDetDropBlock(0.1, 3),
)


@pytest.mark.parametrize('kind', MIXING)
def test_refuses_layers_that_mix_rois(kind):
    model = RoIPart(nn.Conv2d(8, 8, 1), MIXING[kind](), nn.Sequential(MIXING[kind]()))
    unused = nn.BatchNorm2d(8)
    model.unused = unused
    feats, rois = (torch.randn(4, 8, 8, 8, dtype=torch.float64),), make_rois()
    paths = {module: name for name, module in model.named_modules(prefix='roi_head')}
    for size in (4, 100):
        with pytest.raises(ValueError, match='SyncBN is no cure') as error:
            sequential_roi_forward(model, feats, rois, size, paths)
        assert 'roi_head.layers.1, roi_head.layers.2.0.' in str(error.value)
        assert 'unused' not in str(error.value) and 'GroupNorm' in str(error.value)
    model.eval()
    output = sequential_roi_forward(model, feats, rois, 4)
    torch.testing.assert_close(output, model(feats, rois))


def test_layers_that_may_run():
    eval_bn = nn.BatchNorm1d(3).eval()
    frozen = [nn.GroupNorm(2, 4), nn.InstanceNorm2d(3), DropBlock(), nn.LayerNorm(3), eval_bn]
    check_chunkable(frozen)
    with pytest.raises(ValueError, match='BatchNorm1d'):  # has no other statistics, even in eval
        check_chunkable([nn.BatchNorm1d(3, track_running_stats=False).eval()])


def test_refuses_to_keep_less_than_nothing():
    with pytest.raises(ValueError, match='kept must be at least 0, got -1'):
        sequential_roi_forward(lambda feats, rois: rois, (), make_rois(), 4, kept=-1)


class PeakBytes(TorchDispatchMode):
    """Peak of the bytes of all living storages that operators made inside."""

    def __init__(self):
        super().__init__()
        self.now = self.peak = 0
        self.known = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        for leaf in torch.utils._pytree.tree_flatten(output)[0]:
            if isinstance(leaf, torch.Tensor):
                storage = leaf.untyped_storage()
                if storage._cdata not in self.known:
                    self.known.add(storage._cdata)
                    self.now += storage.nbytes()
                    self.peak = max(self.peak, self.now)
                    weakref.finalize(storage, self.free, storage._cdata, storage.nbytes())
        return output

    def free(self, key, size):
        self.known.discard(key)
        self.now -= size


def peak(size, count, kept=None):
    """Peak of a training step of layers whose activations are far larger than their output."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(8, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU()]
    model = RoIPart(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 2), size=7)
    feats, rois = torch.randn(1, 8, 8, 8, dtype=torch.float64), make_rois((count,))
    gc.collect()
    with PeakBytes() as bytes_:
        run(model, feats, rois, in_sub_batches(size, kept))
    return bytes_.peak


def test_peak_memory_does_not_grow_with_the_proposals():
    one_call = [peak(10**6, count) for count in (100, 500)]
    assert 4 < one_call[1] / one_call[0] < 6
    sub_batches = [peak(50, count) for count in (100, 500)]
    assert sub_batches[1] < 1.15 * sub_batches[0]
    assert sub_batches[0] < 0.7 * one_call[0]


def test_peak_memory_grows_with_the_kept_ones_alone():
    """They have let go of their activations before the others are computed again."""
    all_kept = peak(20, 80, kept=80)
    per_roi = 8 * (8 + 2 * 32) * 49  # input of each convolution, output of the second ReLU
    for kept in (20, 50):
        found = peak(20, 80, kept)
        # a gradient of the layers more, once a sub-batch was computed again
        assert found == pytest.approx(all_kept - (80 - kept) * per_roi, abs=7 * per_roi)
        assert peak(20, 160, kept) < found + per_roi  # what is not kept costs nothing
