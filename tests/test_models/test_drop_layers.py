"""The layers that drop cells: masks, shares, scale, warm-up, statistics, and the RoI head's use."""

import itertools

import pytest
import torch

from wsl_plugins.models.layers import (
    ConcreteDropBlock,
    DropBlock,
    RoIPointDropout,
    SpatialDropout,
)
from wsl_plugins.models.layers.drop_layer import scale_mask

LAYERS = {
    'point': (RoIPointDropout, dict(drop_prob=0.3)),
    'spatial': (SpatialDropout, dict(drop_prob=0.3)),
    'block': (DropBlock, dict(drop_prob=0.3)),
    'concrete': (ConcreteDropBlock, dict(in_channels=4, drop_thr=0.1)),
}
DEVICES = ['cpu'] + (['cuda'] if torch.cuda.is_available() else [])


@pytest.fixture(params=LAYERS)
def make_layer(request):
    cls, defaults = LAYERS[request.param]
    torch.manual_seed(0)
    return lambda **kwargs: cls(**{**defaults, **kwargs}).train()


def force_draw(monkeypatch, layer, dropped, probs=0.5):
    """Let the layer drop these cells (N, 1, H, W)."""
    monkeypatch.setattr(layer, 'draw', lambda feats: (dropped, torch.full_like(dropped, probs)))


def blocks_by_loop(centres, size):
    """(H, W) cells of the union of the blocks around each centre."""
    height, width = centres.shape
    union = torch.zeros_like(centres)
    for row, column in itertools.product(range(height), range(width)):
        if centres[row, column]:
            for i, j in itertools.product(range(size), repeat=2):
                y, x = row + i - size // 2, column + j - size // 2
                if 0 <= y < height and 0 <= x < width:
                    union[y, x] = 1
    return union


def test_all_channels_share_a_mask(make_layer):
    out = make_layer()(torch.ones(20, 4, 7, 7))
    assert torch.equal(out, out[:, :1].expand_as(out))
    assert (out == 0).any() and (out > 1).any()


def test_outside_training_nothing_happens(make_layer):
    layer, feats = make_layer().eval(), torch.rand(3, 4, 7, 7)
    assert layer(feats) is feats


def test_no_maps_give_no_maps_and_zero_gradients(make_layer):
    """The layer stays in the graph: DDP waits for the gradient of each of its parameters."""
    for rescale in ('roi', 'batch'):
        layer, feats = make_layer(rescale=rescale), torch.rand(0, 4, 7, 7, requires_grad=True)
        out = layer(feats)
        assert out.shape == feats.shape
        out.sum().backward()
        assert all((p.grad == 0).all() for p in layer.parameters())
        assert layer.log_vars() == dict(drop_rate=0, kept_area=0)


@pytest.mark.parametrize('cls', [RoIPointDropout, SpatialDropout])
def test_share_of_single_cells(cls):
    torch.manual_seed(0)
    dropped = (cls(drop_prob=0.3).train()(torch.ones(4000, 1, 5, 5)) == 0).float()
    # 100,000 cells, standard error 0.0015; 4,000 per position, standard error 0.0072
    assert abs(dropped.mean() - 0.3) < 0.005
    assert (dropped.mean(dim=0) - 0.3).abs().max() < 0.03


def test_share_of_blocks():
    """gamma of equation 1, and every cell dropped unless each centre around it stays."""
    torch.manual_seed(0)
    layer = DropBlock(drop_prob=0.2, block_size=3).train()
    feats = torch.ones(20000, 1, 5, 6)
    _, probs = layer.draw(feats)
    gamma = 0.2 / 9 * 30 / (3 * 4)
    assert probs.shape == (20000, 1, 3, 4)
    torch.testing.assert_close(probs, torch.full_like(probs, 0.0555556))  # gamma by hand
    expected = torch.zeros(5, 6)
    for row, column in itertools.product(range(5), range(6)):
        around = [
            (y, x)
            for y, x in itertools.product(range(1, 4), range(1, 5))
            if abs(y - row) <= 1 and abs(x - column) <= 1
        ]
        expected[row, column] = 1 - (1 - gamma) ** len(around)
    # some of these maps lose every cell and keep all: about 1 in 1e8
    dropped = (layer(feats) == 0).float().mean(dim=(0, 1))
    assert (dropped - expected).abs().max() < 0.015  # 4 standard errors


@pytest.mark.parametrize('size', [1, 3, 5])
def test_dropped_cells_are_the_union_of_blocks(monkeypatch, size):
    layer = DropBlock(drop_prob=0.3, block_size=size).train()
    generator = torch.Generator().manual_seed(1)
    noise = torch.rand(50, 1, 8 - size, 9 - size, generator=generator)
    monkeypatch.setattr(torch, 'rand_like', lambda probs: noise)
    dropped, probs = layer.draw(torch.ones(50, 2, 7, 8))
    assert 0 < dropped.sum() < dropped.numel()
    margin = size // 2
    for cells, drawn in zip(dropped[:, 0], (noise < probs)[:, 0], strict=True):
        centres = torch.zeros(7, 8)
        for row, column in drawn.nonzero().tolist():
            centres[row + margin, column + margin] = 1
        assert torch.equal(cells, blocks_by_loop(centres, size))


def test_scale_of_each_map_and_of_all():
    generator = torch.Generator().manual_seed(0)
    mask = (torch.rand(6, 1, 4, 5, generator=generator) < 0.6).float()
    shares = []
    for single, scaled in zip(mask, scale_mask(mask, 'roi'), strict=True):
        kept = sum(float(cell) for cell in single.flatten())
        shares.append(kept / 20)
        torch.testing.assert_close(scaled, single * 20 / kept)
    assert len(set(shares)) > 2
    torch.testing.assert_close(scale_mask(mask, 'batch'), mask / (sum(shares) / 6))


@pytest.mark.parametrize('rescale', ['roi', 'batch'])
def test_forward_multiplies_by_the_scaled_mask(monkeypatch, make_layer, rescale):
    layer = make_layer(rescale=rescale)
    dropped = torch.tensor([[1.0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]]).view(3, 1, 2, 2)
    force_draw(monkeypatch, layer, dropped)
    feats = torch.rand(3, 4, 2, 2) + 1
    kept = torch.tensor([0.75, 0.5, 1.0])  # the last map would lose all and keeps all
    scale = kept if rescale == 'roi' else kept.mean().repeat(3)
    for n, (row, column) in itertools.product(range(3), itertools.product(range(2), repeat=2)):
        lost = n < 2 and dropped[n, 0, row, column]
        expected = feats[n, :, row, column] * (0 if lost else 1 / scale[n])
        torch.testing.assert_close(layer(feats)[n, :, row, column], expected)


def test_a_map_that_would_lose_all_keeps_all(monkeypatch, make_layer):
    layer, feats = make_layer(), torch.rand(2, 4, 7, 7)
    force_draw(monkeypatch, layer, torch.ones(2, 1, 7, 7))
    assert torch.equal(layer(feats), feats)


def test_warmup(make_layer):
    feats = torch.rand(2, 4, 7, 7)
    layer, plain = make_layer(warmup_steps=4), make_layer()
    plain.load_state_dict(layer.state_dict())
    full = plain.draw(feats)[1]
    assert (layer.draw(feats)[1] == 0).all() and (full > 0).all()
    for step in range(1, 7):
        layer.start_step()
        torch.testing.assert_close(layer.draw(feats)[1], full * min(step, 4) / 4)
    resumed = make_layer(warmup_steps=10)
    resumed.load_state_dict(layer.state_dict())
    assert resumed.steps == 6
    torch.testing.assert_close(resumed.draw(feats)[1], full * 0.6)


def test_statistics_are_means_over_the_maps(monkeypatch, make_layer):
    layer = make_layer()
    dropped = torch.zeros(5, 1, 3, 3)
    for n in range(5):
        dropped[n].view(-1)[: 2 * n + 1] = 1  # 1, 3, 5, 7 and 9 of 9 cells; the last keeps all
    probs = torch.rand(5, 1, 3, 3)
    kept = (8 + 6 + 4 + 2 + 9) / (5 * 9)
    rate = sum(float(p) for p in probs.flatten()) / 45
    for chunks in ([5], [2, 3], [1, 1, 3], [0, 5]):
        layer.start_step()
        start = 0
        for size in chunks:
            part = slice(start, start + size)
            monkeypatch.setattr(layer, 'draw', lambda _, part=part: (dropped[part], probs[part]))
            layer(torch.rand(size, 4, 3, 3))
            start += size
        logged = layer.log_vars()
        torch.testing.assert_close(logged['kept_area'], torch.tensor(kept))
        torch.testing.assert_close(logged['drop_rate'], torch.tensor(rate))
        assert not any(value.requires_grad for value in logged.values())


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16, torch.float64])
def test_dtype_of_the_features_is_kept(make_layer, dtype):
    layer = make_layer().to(dtype)
    out = layer(torch.ones(40, 4, 7, 7, dtype=dtype))
    assert out.dtype == dtype and out.isfinite().all() and (out == 0).any()


def test_probabilities_are_not_rounded_to_half_precision():
    half = torch.ones(1, 1, 7, 7, dtype=torch.bfloat16)
    for cls in (RoIPointDropout, DropBlock):
        expected = cls(drop_prob=0.1).draw(half.float())[1]
        assert torch.equal(cls(drop_prob=0.1).draw(half)[1], expected)


@pytest.mark.parametrize('cls', [RoIPointDropout, SpatialDropout, DropBlock])
@pytest.mark.parametrize(
    'options, value',
    [
        (dict(drop_prob=1.0), '1.0'),
        (dict(drop_prob=-0.1), '-0.1'),
        (dict(rescale='image'), "'image'"),
        (dict(warmup_steps=-1), '-1'),
    ],
)
def test_options_outside_their_range_are_named(cls, options, value):
    with pytest.raises(ValueError, match=f'{next(iter(options))} .*{value}'):
        cls(**options)


def test_blocks_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match='got 4'):
        DropBlock(block_size=4)
    with pytest.raises(ValueError, match='got -1'):
        DropBlock(block_size=-1)
    with pytest.raises(ValueError, match='block_size 5 does not fit into features 7 x 4'):
        DropBlock(block_size=5).train()(torch.ones(1, 1, 7, 4))


SIZES = [(64, 96), (80, 48), (64, 64)]
IN_HEAD = {
    'point': dict(type='wsl_plugins.RoIPointDropout', drop_prob=0.3),
    'spatial': dict(type='wsl_plugins.SpatialDropout', drop_prob=0.3),
    'block': dict(type='wsl_plugins.DropBlock', drop_prob=0.3, block_size=1),
    'concrete': dict(type='wsl_plugins.ConcreteDropBlock', in_channels=32),
}


def losses_of(model, batch):
    data = model.data_preprocessor(batch, training=True)
    return model.loss(data['inputs'], data['data_samples'])


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('dtype', [None, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    'counts, labels',
    [
        ([7, 12, 3], [[1, 0, 1], [0, 1, 0], [0, 0, 1]]),
        ([0, 5, 1], [[1, 0, 1], [0, 0, 0], [1, 1, 1]]),
        ([0, 0, 0], [[1, 0, 1], [0, 1, 0], [0, 0, 1]]),
        ([1, 1, 1], [[0, 0, 0]] * 3),
    ],
    ids=['usual', 'odd bags', 'all empty', 'one proposal, no label'],
)
@pytest.mark.parametrize('kind', IN_HEAD)
def test_contract_in_the_roi_head(make_detector, make_batch, kind, dtype, counts, labels, device):
    """Finite losses, a gradient for every parameter, statistics that are no losses."""
    model = make_detector(drop_layer=IN_HEAD[kind]).to(device)
    enabled = dtype is not None
    with torch.autocast(device, dtype=dtype or torch.bfloat16, enabled=enabled):
        losses = losses_of(model, make_batch(SIZES, counts, labels))
    total, logged = model.parse_losses(losses)
    assert total == sum(value for key, value in losses.items() if 'loss' in key)
    assert 0 < len([key for key in losses if 'loss' in key]) == len(losses) - 2
    if sum(counts) or kind == 'spatial':
        assert 0 < logged['drop_rate'] < 1 and 0 < logged['kept_area'] <= 1
    total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    if max(counts) > 1 and kind == 'concrete' and dtype != torch.float16:  # no loss scaling here
        assert all((p.grad != 0).any() for p in model.roi_head.drop_layer.parameters())


@pytest.mark.parametrize('kind', IN_HEAD)
def test_predictions_do_not_drop(make_detector, make_batch, kind):
    batch = ([(64, 64)], [9], [[1, 0, 0]])
    model = make_detector(drop_layer=IN_HEAD[kind])
    plain = make_detector()
    plain.load_state_dict({k: v for k, v in model.state_dict().items() if 'drop_layer' not in k})
    (got,), (expected,) = (m.eval().test_step(make_batch(*batch)) for m in (model, plain))
    assert torch.equal(got.pred_instances.scores, expected.pred_instances.scores)
    dropping, keeping = (losses_of(m, make_batch(*batch)) for m in (model.train(), plain))
    assert not torch.equal(dropping['loss_mil'], keeping['loss_mil'])


def test_image_level_drops_before_pooling(make_detector, make_batch, monkeypatch):
    """The layer sees the feature map of the batch, and what is pooled comes from its output."""
    model = make_detector(drop_layer=IN_HEAD['spatial'])
    head = model.roi_head
    seen = []
    monkeypatch.setattr(
        head.drop_layer, 'forward', lambda feats: seen.append(feats.shape) or feats * 0
    )
    pooled = []
    head.shared_head.register_forward_pre_hook(lambda _, args: pooled.append(args[0]))
    losses_of(model, make_batch([(64, 64)] * 2, [4, 3], [[1, 0, 0]] * 2))
    assert seen == [(2, 32, 4, 4)] and (pooled[0] == 0).all()
