"""Weighted entropy against a loop written from the formula, hand-computed points, gradients."""

import math

import pytest
import torch

from wsl_plugins.models.losses import WeightedEntropyLoss, weighted_entropy
from wsl_plugins.models.losses.weighted_entropy import foreground_logit

LN2 = math.log(2)
HALF = [torch.float16, torch.bfloat16, torch.float32]


def by_hand(p, gamma, alpha, tau1, tau2):
    entropy = -p * math.log(p) - (1 - p) * math.log(1 - p)
    if p >= tau2:
        return alpha * (1 - p) ** gamma * entropy
    if p < tau1:
        return (1 - alpha) * p**gamma * entropy
    return 0.0


def logit(p):
    return math.log(p / (1 - p))


@pytest.mark.parametrize('gamma', [0, 0.5, 2, 6])
@pytest.mark.parametrize(('tau1', 'tau2'), [(0.5, 0.5), (0.3, 0.3), (0.2, 0.7), (0.0, 1.0)])
def test_against_a_loop(gamma, tau1, tau2):
    p = [0.01, 0.1, 0.19, 0.21, 0.29, 0.31, 0.49, 0.51, 0.69, 0.71, 0.9, 0.99]
    z = torch.tensor([logit(value) for value in p], dtype=torch.float64)
    expected = [by_hand(value, gamma, 0.1, tau1, tau2) for value in p]
    got = weighted_entropy(z, gamma, 0.1, tau1, tau2)
    torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.float64))


def test_hand_computed_points():
    """p = 0.5, 0.9 and 0.1: the entropies are ln 2 and 0.325083."""
    z = torch.tensor([0.0, math.log(9), -math.log(9)])
    got = weighted_entropy(z, gamma=2, alpha=0.25)
    expected = [0.25 * 0.25 * LN2, 0.25 * 0.01 * 0.325083, 0.75 * 0.01 * 0.325083]
    torch.testing.assert_close(got, torch.tensor(expected), rtol=1e-5, atol=0)


def test_alpha_is_of_the_foreground_and_gamma_hides_the_certain():
    fg, bg = torch.tensor([logit(0.8)]), torch.tensor([logit(0.2)])
    assert weighted_entropy(fg, alpha=0.0) == 0 < weighted_entropy(bg, alpha=0.0)
    assert weighted_entropy(bg, alpha=1.0) == 0 < weighted_entropy(fg, alpha=1.0)
    for z in (fg, bg):  # both are 0.2 from certainty: the factor of two more is 0.2 squared
        two, four = (weighted_entropy(z, gamma=g, alpha=0.5) for g in (2, 4))
        assert four.item() == pytest.approx(0.04 * two.item(), rel=1e-5)


def test_the_thresholds_belong_to_the_foreground():
    z = torch.tensor([0.0])  # p is exactly 0.5
    assert weighted_entropy(z, 0, 0.25, 0.5, 0.5).item() == pytest.approx(0.25 * LN2)
    assert weighted_entropy(z, 0, 0.25, 0.6, 0.6).item() == pytest.approx(0.75 * LN2)
    assert weighted_entropy(z, 0, 0.25, 0.4, 0.6).item() == 0
    assert weighted_entropy(z, 0, 0.25, 0.5, 0.6).item() == 0


def test_plain_entropy_is_a_special_case():
    z = torch.randn(50, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3
    plain = torch.distributions.Bernoulli(logits=z).entropy()
    torch.testing.assert_close(weighted_entropy(z, 0, 0.5, 0.5, 0.5), plain / 2)
    loss = WeightedEntropyLoss(gamma=0, alpha=0.5, use_sigmoid=True, loss_weight=2)
    torch.testing.assert_close(loss(z), plain.mean())


def test_softmax_foreground_is_what_is_not_background():
    scores = torch.randn(20, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 3
    p = 1 - scores.softmax(1)[:, -1]
    torch.testing.assert_close(foreground_logit(scores, False).sigmoid(), p)
    expected = [by_hand(value, 4, 0.25, 0.5, 0.5) for value in p.tolist()]
    got = WeightedEntropyLoss(reduction='none')(scores)
    torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.float64))


def test_sigmoid_columns_each_have_their_own_probability():
    scores = torch.tensor([[0.0, math.log(9)], [-math.log(9), 0.0]])
    got = WeightedEntropyLoss(gamma=0, alpha=0.25, use_sigmoid=True, reduction='none')(scores)
    expected = torch.tensor([[0.25 * LN2, 0.25 * 0.325083], [0.75 * 0.325083, 0.25 * LN2]])
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize('dtype', HALF)
@pytest.mark.parametrize('use_sigmoid', [True, False])
@pytest.mark.parametrize('detach', [True, False])
@pytest.mark.parametrize('gamma', [0, 0.5, 4])
def test_certain_predictions_are_finite(dtype, use_sigmoid, detach, gamma):
    inf = math.inf
    columns = [1e4, -1e4, inf, -inf, 88.0, -88.0, 0.0]
    values = [[v] for v in columns] if use_sigmoid else [[a, b] for a in columns for b in columns]
    scores = torch.tensor(values, dtype=dtype, requires_grad=True)
    loss = WeightedEntropyLoss(
        gamma=gamma, detach_modulator=detach, use_sigmoid=use_sigmoid, reduction='none'
    )
    got = loss(scores)
    assert got.dtype == torch.float32 and got.isfinite().all() and (got >= 0).all()
    got.sum().backward()
    assert scores.grad.isfinite().all()
    z = foreground_logit(scores.detach(), use_sigmoid).flatten()
    assert (got.flatten()[z.abs() > 80] < 1e-30).all()
    assert (got.flatten()[z == 0] > 0).all() and (z == 0).any()


def test_half_precision_is_computed_in_float32():
    scores = torch.randn(30, 2, generator=torch.Generator().manual_seed(2)).half()
    for dtype in HALF[:2]:
        half = scores.to(dtype)
        assert WeightedEntropyLoss()(half) == WeightedEntropyLoss()(half.float())


@pytest.mark.parametrize('gamma', [0, 0.5, 4])
def test_gradient_through_the_modulator(gamma):
    z = torch.tensor([-3.0, -1.0, -0.3, 0.2, 1.5, 4.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: weighted_entropy(z, gamma, 0.1, 0.4, 0.6, False), z)
    scores = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    loss = WeightedEntropyLoss(gamma, detach_modulator=False)
    assert torch.autograd.gradcheck(loss, scores.requires_grad_())


def test_gradient_past_the_modulator():
    """d WE / dz = -m z p (1 - p): towards the nearer certainty."""
    z = torch.tensor([-3.0, -0.5, 0.7, 2.0], dtype=torch.float64, requires_grad=True)
    weighted_entropy(z, 4, 0.25).sum().backward()
    for value, slope in zip(z.tolist(), z.grad.tolist(), strict=True):
        p = 1 / (1 + math.exp(-value))
        m = 0.25 * (1 - p) ** 4 if value > 0 else 0.75 * p**4
        assert slope == pytest.approx(-m * value * p * (1 - p))


def test_weights_and_reductions():
    scores = torch.tensor([[0.0], [0.0], [math.log(9)], [50.0]])
    make = dict(gamma=0, alpha=0.5, use_sigmoid=True, loss_weight=2)
    loss = WeightedEntropyLoss(**make)
    weight = torch.tensor([1.0, 0.0, 3.0, 0.0])
    total = LN2 + 3 * 0.325083
    assert loss(scores).item() == pytest.approx((2 * LN2 + 0.325083) / 4, rel=1e-5)
    assert loss(scores, weight).item() == pytest.approx(total / 2, rel=1e-5)
    assert loss(scores, weight[:, None]).item() == pytest.approx(total / 2, rel=1e-5)
    assert loss(scores, weight, avg_factor=10).item() == pytest.approx(total / 10, rel=1e-5)
    summed = loss(scores, weight, reduction_override='sum')
    assert summed.item() == pytest.approx(total, rel=1e-5)
    assert summed == WeightedEntropyLoss(reduction='sum', **make)(scores, weight)
    none = loss(scores, weight, reduction_override='none')
    torch.testing.assert_close(none, torch.tensor([[LN2], [0.0], [3 * 0.325083], [0.0]]))


def test_two_columns_count_twice_in_n():
    scores, weight = torch.zeros(3, 2), torch.tensor([1.0, 1.0, 0.0])
    loss = WeightedEntropyLoss(gamma=0, alpha=0.5, use_sigmoid=True)
    assert loss(scores, weight).item() == pytest.approx(LN2 / 2)


@pytest.mark.parametrize('use_sigmoid', [True, False])
@pytest.mark.parametrize(('rows', 'weight'), [(0, None), (0, 0), (3, 0)])
def test_nothing_to_count(use_sigmoid, rows, weight):
    scores = torch.zeros(rows, 1 if use_sigmoid else 2, requires_grad=True)
    weight = None if weight is None else torch.zeros(rows)
    loss = WeightedEntropyLoss(use_sigmoid=use_sigmoid)(scores, weight)
    assert loss == 0
    loss.backward()
    assert scores.grad.shape == scores.shape and not scores.grad.any()


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (dict(gamma=-1), 'gamma must be >= 0, got -1'),
        (dict(gamma=math.nan), 'gamma'),
        (dict(alpha=1.5), 'alpha must be in'),
        (dict(tau1=-0.1), 'tau1 must be in'),
        (dict(tau2=2), 'tau2 must be in'),
        (dict(tau1=0.6, tau2=0.5), 'tau1=0.6 and tau2=0.5'),
        (dict(reduction='avg'), "reduction .* got 'avg'"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        WeightedEntropyLoss(**options)


def test_bad_input():
    loss = WeightedEntropyLoss()
    for shape in [(3, 1), (3,), (2, 3, 4)]:
        with pytest.raises(ValueError, match='classes \\+ 1'):
            loss(torch.zeros(shape))
    with pytest.raises(ValueError, match=r'weight must be \(3,\)'):
        loss(torch.zeros(3, 2), torch.ones(4))
    with pytest.raises(ValueError, match='avg_factor'):
        loss(torch.zeros(3, 2), avg_factor=2, reduction_override='sum')
    with pytest.raises(ValueError, match='reduction'):
        loss(torch.zeros(3, 2), reduction_override='max')


def test_defaults():
    z = torch.tensor([-2.0, 0.4, 3.0], requires_grad=True)
    options = dict(gamma=4.0, alpha=0.25, tau1=0.5, tau2=0.5)
    expected = weighted_entropy(z, **options, detach_modulator=True)
    assert torch.equal(weighted_entropy(z), expected)
    loss = WeightedEntropyLoss(use_sigmoid=True)(z[:, None])
    torch.testing.assert_close(loss, expected.mean())
    (past,) = torch.autograd.grad(loss, z)
    torch.testing.assert_close(past, torch.autograd.grad(expected.mean(), z)[0])
    WeightedEntropyLoss(alpha=0.0, tau1=0.0, tau2=1.0), WeightedEntropyLoss(alpha=1.0)  # allowed


def test_divisors():
    """One probability is divided by one; what a head divides by may be 0."""
    loss, z = WeightedEntropyLoss(gamma=0, alpha=0.5, use_sigmoid=True), torch.zeros(1, 1)
    one = loss(z, weight=torch.ones(1, dtype=torch.float64))
    assert one.dtype == torch.float32 and one.item() == pytest.approx(LN2 / 2)
    assert loss(z).item() == pytest.approx(LN2 / 2)
    assert loss(z, avg_factor=4).item() == pytest.approx(LN2 / 8)
    assert 1e6 * LN2 < loss(z, avg_factor=0).item() < math.inf
