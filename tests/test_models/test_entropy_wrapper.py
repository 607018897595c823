"""The wrapper adds the entropy to losses of mmdet, and heads find what they look for."""

import copy
import math
import pickle

import pytest
import torch
from mmengine.registry import init_default_scope

from wsl_plugins.models.losses import EntropyRegularizedLoss, WeightedEntropyLoss
from wsl_plugins.registry import MODELS

from mmdet.models.dense_heads import DETRHead
from mmdet.models.losses import CrossEntropyLoss, FocalLoss, QualityFocalLoss

LN2 = math.log(2)
FOCAL = dict(type='mmdet.FocalLoss')
CE = dict(type='mmdet.CrossEntropyLoss')


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmdet')
    yield
    init_default_scope('mmengine')


def wrap(loss, **options):
    return EntropyRegularizedLoss(loss, use_sigmoid=loss is FOCAL, **options)


def scores_of(loss, rows=6):
    columns = 1 if loss is FOCAL else 2
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(0)) * 2


def test_hand_computed():
    """At p = 0.5: focal loss .25 * .25 * ln 2 and .75 * .25 * ln 2; entropy .25 * .5^4 * ln 2."""
    cfg = dict(type='wsl_plugins.EntropyRegularizedLoss', use_sigmoid=True, loss=FOCAL, eta=0.125)
    loss = MODELS.build(cfg)(torch.zeros(2, 1), torch.tensor([0, 1]), avg_factor=1)
    assert loss.item() == pytest.approx(0.125 * 0.25 * LN2 + 0.25 / 16 * LN2)
    loss = wrap(CE, eta=2)(torch.zeros(2, 2), torch.tensor([0, 1]), avg_factor=2)
    assert loss.item() == pytest.approx(2 * LN2 + 0.25 / 16 * LN2)


@pytest.mark.parametrize(('loss', 'plain'), [(FOCAL, FocalLoss()), (CE, CrossEntropyLoss())])
@pytest.mark.parametrize('weighted', [True, False])
@pytest.mark.parametrize('norm', ['samples', 'avg_factor'])
def test_both_terms(loss, plain, weighted, norm):
    scores, label = scores_of(loss), torch.tensor([0, 1, 1, 1, 0, 1])
    weight = torch.tensor([1.0, 0, 1, 1, 0, 1]) if weighted else None
    entropy = dict(type='wsl_plugins.WeightedEntropyLoss', gamma=2.0, alpha=0.1)
    wrapped = wrap(loss, entropy=entropy, eta=0.5, entropy_norm=norm)
    alone = WeightedEntropyLoss(2.0, 0.1, use_sigmoid=loss is FOCAL, reduction='sum')
    number = 3 if norm == 'avg_factor' else 4 if weighted else 6
    expected = 0.5 * plain(scores, label, weight, avg_factor=3) + alone(scores, weight) / number
    torch.testing.assert_close(wrapped(scores, label, weight, avg_factor=3), expected)
    for reduction in ('none', 'sum'):
        got = wrapped(scores, label, weight, reduction_override=reduction)
        expected = 0.5 * plain(scores, label, weight, reduction_override=reduction)
        expected = expected + alone(scores, weight, reduction_override=reduction)
        torch.testing.assert_close(got, expected)


@pytest.mark.parametrize('reduction', ['sum', 'none'])
def test_reduction_is_the_wrapped_loss_s(reduction):
    scores, label = scores_of(CE), torch.tensor([0, 1, 1, 1, 0, 1])
    got = wrap(dict(CE, reduction=reduction))(scores, label)
    alone = WeightedEntropyLoss(reduction=reduction)
    expected = CrossEntropyLoss(reduction=reduction)(scores, label) + alone(scores)
    torch.testing.assert_close(got, expected)


class Zero(torch.nn.Module):
    """A loss that names neither ``use_sigmoid`` nor ``reduction``."""

    def forward(self, scores, label, **kwargs):
        return scores.sum() * 0


def test_plain_loss_is_a_softmax_and_a_mean():
    MODELS.register_module(module=Zero, name='ZeroLoss')
    try:
        scores = scores_of(CE)
        got = EntropyRegularizedLoss(dict(type='wsl_plugins.ZeroLoss'))(scores, None)
    finally:
        MODELS.module_dict.pop('ZeroLoss')
    torch.testing.assert_close(got, WeightedEntropyLoss()(scores))


def test_without_avg_factor_the_samples_are_counted():
    scores, label = scores_of(CE), torch.zeros(6, dtype=torch.long)
    one, other = (wrap(CE, entropy_norm=norm)(scores, label) for norm in ('samples', 'avg_factor'))
    assert one == other


@pytest.mark.parametrize('loss', [FOCAL, CE])
def test_padding_takes_no_part(loss):
    scores = scores_of(loss).requires_grad_()
    label, weight = torch.tensor([0, 1, 1, 1, 0, 1]), torch.tensor([1.0, 0, 1, 1, 0, 1])
    wrap(loss)(scores, label, weight, avg_factor=4).backward()
    moved = scores.grad.abs().sum(1) > 0
    assert torch.equal(moved, weight > 0)
    kept = weight > 0
    short = wrap(loss)(scores[kept], label[kept], weight[kept], avg_factor=4)
    torch.testing.assert_close(wrap(loss)(scores, label, weight, avg_factor=4), short)


@pytest.mark.parametrize('loss', [FOCAL, CE])
def test_without_the_entropy_it_is_the_wrapped_loss(loss):
    scores, label = scores_of(loss), torch.tensor([0, 1, 1, 1, 0, 1])
    entropy = dict(type='wsl_plugins.WeightedEntropyLoss', loss_weight=0.0)
    wrapped = wrap(loss, entropy=entropy)
    assert wrapped(scores, label, avg_factor=3) == MODELS.build(loss)(scores, label, avg_factor=3)


@pytest.mark.parametrize('loss', [FOCAL, CE])
def test_no_sample(loss):
    scores = scores_of(loss, rows=0).requires_grad_()
    value = wrap(loss)(scores, torch.zeros(0, dtype=torch.long), torch.zeros(0), avg_factor=1)
    assert value == 0
    value.backward()
    assert scores.grad.shape == scores.shape


def test_heads_find_the_attributes_of_the_wrapped_loss():
    loss = wrap(dict(type='mmdet.CrossEntropyLoss', loss_weight=0.3, avg_non_ignore=True))
    assert (loss.loss_weight, loss.avg_non_ignore, loss.use_sigmoid) == (0.3, True, False)
    assert not hasattr(loss, 'custom_cls_channels') and not hasattr(loss, 'custom_activation')
    with pytest.raises(AttributeError, match='nonsense'):
        loss.nonsense  # noqa: B018
    custom = wrap(dict(type='mmdet.CrossEntropyCustomLoss', num_classes=1))
    assert custom.custom_cls_channels and custom.get_cls_channels(1) == 2
    scores = torch.tensor([[1.0, 0.0]])
    torch.testing.assert_close(custom.get_activation(scores), scores.softmax(1))


def test_copies():
    loss = wrap(FOCAL, eta=0.3)
    scores, label = scores_of(FOCAL), torch.tensor([0, 1, 1, 1, 0, 1])
    for other in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert other.eta == 0.3 and other.gamma == 2.0
        assert other(scores, label) == loss(scores, label)
    assert not loss.state_dict()


def test_labels_with_quality():
    loss = EntropyRegularizedLoss(dict(type='mmdet.QualityFocalLoss'), use_sigmoid=True)
    label = (torch.tensor([0, 1]), torch.tensor([0.7, 0.0]))
    expected = QualityFocalLoss()(torch.zeros(2, 1), label, avg_factor=1) + 0.25 / 16 * LN2
    torch.testing.assert_close(loss(torch.zeros(2, 1), label, avg_factor=1), expected)


def test_detr_head_weighs_its_background():
    """It reads class_weight and bg_cls_weight from the config and writes a tensor there."""

    def head(wrapped):
        settings = dict(class_weight=1.0, bg_cls_weight=0.1)
        loss = dict(type='CrossEntropyLoss', use_sigmoid=False)
        entropy = dict(type='wsl_plugins.WeightedEntropyLoss', loss_weight=0.0)
        if wrapped:
            settings |= dict(type='wsl_plugins.EntropyRegularizedLoss', loss=loss, entropy=entropy)
        torch.manual_seed(0)
        return DETRHead(num_classes=1, embed_dims=8, loss_cls=loss | settings)

    plain, wrapped = head(False), head(True)
    assert wrapped.bg_cls_weight == plain.bg_cls_weight == 0.1
    assert wrapped.cls_out_channels == 2
    scores, label = scores_of(CE), torch.tensor([0, 1, 1, 1, 0, 1])
    assert wrapped.loss_cls(scores, label, avg_factor=3) == plain.loss_cls(
        scores, label, avg_factor=3
    )
    assert plain.loss_cls(scores, label) != CrossEntropyLoss()(scores, label)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('loss', [FOCAL, CE])
def test_half_precision(dtype, loss):
    scores = scores_of(loss).to(dtype).requires_grad_()
    label = torch.tensor([0, 1, 1, 1, 0, 1])
    with torch.autocast('cpu', dtype=dtype):
        value = wrap(loss, eta=0.125)(scores, label, avg_factor=2)
    value.backward()
    assert value.isfinite() and scores.grad.isfinite().all() and scores.grad.any()
    exact = wrap(loss, eta=0.125)(scores.detach().float(), label, avg_factor=2)
    torch.testing.assert_close(value.float(), exact, rtol=0.02, atol=0)


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (dict(loss=FOCAL), 'use_sigmoid=False of the wrapper and True of FocalLoss'),
        (dict(loss=CE, use_sigmoid=True), 'use_sigmoid=True of the wrapper and False of Cross'),
        (
            dict(loss=CE, entropy=dict(type='wsl_plugins.WeightedEntropyLoss', use_sigmoid=True)),
            'True of entropy differ',
        ),
        (dict(loss=CE, eta=0), 'eta must be > 0, got 0'),
        (dict(loss=CE, entropy_norm='batch'), "entropy_norm .* got 'batch'"),
        (dict(loss=dict(CE, class_weight=[1.0, 0.1])), 'class_weight belongs beside'),
        (dict(loss=dict(type='mmdet.SeesawLoss', num_classes=1)), 'SeesawLoss has 3 columns'),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        EntropyRegularizedLoss(**options)
