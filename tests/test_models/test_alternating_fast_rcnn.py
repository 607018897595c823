"""The alternating trainer against two passes by hand, and what it refuses."""

import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.optim import build_optim_wrapper

LAYER = dict(type='wsl_plugins.ConcreteDropBlock', in_channels=32, temperature=0.5)
BATCH = ([(64, 96), (64, 96)], [7, 5], [[1, 0, 1], [0, 1, 0]])
LR, DROP_LR, WEIGHT = 1e-3, 0.5, 0.3


@pytest.fixture
def make_alternating(make_detector):
    """The small detector as ``AlternatingFastRCNN``; keyword arguments go to its RoI head."""

    def make(detector=(), **roi_head):
        detector = {'type': 'wsl_plugins.AlternatingFastRCNN', **dict(detector)}
        return make_detector(detector=detector, **{'drop_layer': LAYER, **roi_head})

    return make


def players(model, **settings):
    sgd = dict(type='SGD', lr=LR)
    return build_optim_wrapper(
        model,
        ConfigDict(
            constructor='wsl_plugins.PlayerOptimWrapperConstructor',
            detector=dict(optimizer=sgd, **settings),
            drop_layer=dict(
                modules=['roi_head.drop_layer'], optimizer=dict(sgd, lr=DROP_LR), **settings
            ),
        ),
    )


def parts(model):
    """Parameters of the drop layer and the others, by name."""
    drop, others = {}, {}
    for name, parameter in model.named_parameters():
        (drop if 'drop_layer' in name else others)[name] = parameter
    return drop, others


def loss_of(model, batch):
    data = model.data_preprocessor(batch, training=True)
    return model.parse_losses(model.loss(data['inputs'], data['data_samples']))[0]


def test_a_step_equals_two_passes_by_hand(make_alternating, make_batch):
    model = make_alternating(detector=dict(ascent_weight=WEIGHT))
    expected = copy.deepcopy(model)
    expected.roi_head.drop_layer.reverse_weight = None
    start = copy.deepcopy(model.state_dict())
    drop, others = parts(expected)
    torch.manual_seed(5)
    first = loss_of(expected, make_batch(*BATCH))
    grads = torch.autograd.grad(first, others.values())
    with torch.no_grad():
        for parameter, grad in zip(others.values(), grads, strict=True):
            parameter -= LR * grad
    second = loss_of(expected, make_batch(*BATCH))  # new weights, new masks
    grads = torch.autograd.grad(second, drop.values())
    assert all((grad != 0).any() for grad in grads)
    with torch.no_grad():
        for parameter, grad in zip(drop.values(), grads, strict=True):
            parameter += DROP_LR * WEIGHT * grad
    torch.manual_seed(5)
    logs = model.train_step(make_batch(*BATCH), players(model))
    for (name, got), parameter in zip(model.named_parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(got, parameter, rtol=1e-6, atol=1e-9, msg=name)
    moved = [name for name, p in model.named_parameters() if not torch.equal(p, start[name])]
    assert sum('drop_layer' in name for name in moved) == len(drop)
    assert any('backbone' in name for name in moved) and any('mil_head' in name for name in moved)
    # what is logged is the detector's pass
    torch.testing.assert_close(logs['loss'], first)
    assert {'drop_rate', 'kept_area', 'loss_mil', 's2.loss_cls'} <= set(logs)


def test_no_player_sees_a_gradient_of_the_other(make_alternating, make_batch, monkeypatch):
    model = make_alternating()
    wrappers = players(model)
    drop, others = parts(model)
    seen = []
    for name, own, foreign in (('detector', others, drop), ('drop_layer', drop, others)):
        optimizer = wrappers[name].optimizer

        def step(name=name, own=own, foreign=foreign, closure=None):
            assert all(p.grad is not None for p in own.values())
            assert all(p.grad is None for p in foreign.values())
            seen.append(name)

        monkeypatch.setattr(optimizer, 'step', step)
    model.train_step(make_batch(*BATCH), wrappers)
    assert seen == ['detector', 'drop_layer']
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_frozen_stages_stay_frozen(make_alternating, make_batch):
    backbone = dict(
        type='mmdet.ResNet',
        depth=18,
        base_channels=8,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(2,),
        norm_eval=True,
        frozen_stages=1,
    )
    model = make_alternating(detector=dict(backbone=backbone))
    frozen = {name: p.clone() for name, p in model.named_parameters() if not p.requires_grad}
    assert any('layer1' in name for name in frozen)
    wrappers = players(model)
    for _ in range(2):
        model.train_step(make_batch(*BATCH), wrappers)
    parameters = dict(model.named_parameters())
    for name, value in frozen.items():
        assert torch.equal(parameters[name], value) and not parameters[name].requires_grad
    assert sum(not p.requires_grad for p in parameters.values()) == len(frozen)


def test_both_passes_of_a_step_have_the_same_warmup(make_alternating, make_batch, monkeypatch):
    model = make_alternating(drop_layer=dict(LAYER, warmup_steps=4))
    layer, strengths = model.roi_head.drop_layer, []
    draw = layer.draw
    monkeypatch.setattr(
        layer, 'draw', lambda x: strengths.append(float(layer.strength())) or draw(x)
    )
    wrappers = players(model)
    for _ in range(3):
        model.train_step(make_batch(*BATCH), wrappers)
    assert strengths == [0.25, 0.25, 0.5, 0.5, 0.75, 0.75]
    assert layer.steps == 3


def test_batches_without_proposals(make_alternating, make_batch):
    model = make_alternating()
    start = copy.deepcopy(model.state_dict())
    logs = model.train_step(make_batch(BATCH[0], [0, 0], BATCH[2]), players(model))
    assert logs['loss'] == 0
    assert all(torch.equal(p, start[name]) for name, p in model.named_parameters())


def test_amp(make_alternating, make_batch):
    model = make_alternating()
    start = copy.deepcopy(model.state_dict())
    seen = []
    model.roi_head.drop_layer.net.logit.register_forward_hook(
        lambda _, args, out: seen.append(out.dtype)
    )
    logs = model.train_step(
        make_batch(*BATCH), players(model, type='wsl_plugins.BFloat16OptimWrapper')
    )
    assert seen == [torch.bfloat16] * 2 and logs['loss'].isfinite()
    drop, others = parts(model)
    for player in (drop, others):
        assert all(p.isfinite().all() and p.dtype == torch.float32 for p in player.values())
        assert any(not torch.equal(p, start[name]) for name, p in player.items())


def test_accumulated_gradients(make_alternating, make_batch):
    """Two steps with half the loss each: both players move at the second only."""
    model = make_alternating()
    start = copy.deepcopy(model.state_dict())
    wrappers = players(model, accumulative_counts=2)
    model.train_step(make_batch(*BATCH), wrappers)
    assert all(torch.equal(p, start[name]) for name, p in model.named_parameters())
    model.train_step(make_batch(*BATCH), wrappers)
    for player in parts(model):
        assert any(not torch.equal(p, start[name]) for name, p in player.items())


@pytest.mark.parametrize(
    'layer, name', [(None, 'NoneType'), (dict(type='wsl_plugins.DropBlock'), 'DropBlock')]
)
def test_another_layer_is_refused(make_alternating, layer, name):
    with pytest.raises(ValueError, match=f'needs .*ConcreteDropBlock.* got {name}$'):
        make_alternating(drop_layer=layer)


def test_another_optimiser_is_refused(make_alternating, make_batch):
    model, batch = make_alternating(), make_batch(*BATCH)
    single = build_optim_wrapper(
        model, dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=LR))
    )
    with pytest.raises(TypeError, match='PlayerOptimWrapperConstructor.* got OptimWrapper$'):
        model.train_step(batch, single)
    sgd = dict(optimizer=dict(type='SGD', lr=LR))
    other = build_optim_wrapper(
        model,
        dict(
            constructor='wsl_plugins.PlayerOptimWrapperConstructor',
            detector=sgd,
            backbone=dict(modules=['backbone'], **sgd),
        ),
    )
    with pytest.raises(TypeError, match=r"got \['detector', 'backbone'\]$"):
        model.train_step(batch, other)


def test_optimiser_with_other_parameters(make_alternating, make_batch):
    """Otherwise the layer would stay as it is without a word."""
    model = make_alternating()
    wrapper = build_optim_wrapper(
        model,
        ConfigDict(
            constructor='wsl_plugins.PlayerOptimWrapperConstructor',
            detector=dict(optimizer=dict(type='SGD', lr=LR)),
            drop_layer=dict(modules=['roi_head.mil_head'], optimizer=dict(type='SGD', lr=DROP_LR)),
        ),
    )
    with pytest.raises(ValueError, match="'drop_layer' must hold the parameters of roi_head"):
        model.train_step(make_batch(*BATCH), wrapper)
