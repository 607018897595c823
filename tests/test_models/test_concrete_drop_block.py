"""Concrete DropBlock: draws, caps, reversed gradients, and that the adversary learns."""

import copy
import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from wsl_plugins.models.layers import ConcreteDropBlock, reverse_gradient
from wsl_plugins.models.layers.concrete_drop_block import draw_concrete


class Network(nn.Module):
    """A convolution, the layer, a classifier; float64."""

    def __init__(self, **options):
        super().__init__()
        torch.manual_seed(0)
        self.before = nn.Conv2d(3, 6, 3, padding=1)
        # every cell's draw is relaxed enough to carry a gradient
        self.drop_layer = ConcreteDropBlock(6, temperature=0.7, mid_channels=3, **options)
        self.after = nn.Linear(6 * 25, 4)
        self.double().train()
        nn.init.normal_(self.drop_layer.net.logit.weight, std=0.3)
        for conv in self.drop_layer.net.residual[::2]:  # no ReLU that is never active
            nn.init.constant_(conv.bias, 0.3)

    def loss(self, images, seed=3):
        torch.manual_seed(seed)
        feats = self.drop_layer(self.before(images).relu())
        return F.cross_entropy(self.after(feats.flatten(1)), torch.arange(len(images)) % 4)

    def gradients(self, images):
        names, parameters = zip(*self.named_parameters(), strict=True)
        grads = torch.autograd.grad(self.loss(images), parameters, allow_unused=True)
        return dict(zip(names, grads, strict=True))


@pytest.fixture
def images():
    return torch.rand(8, 3, 5, 5, generator=torch.Generator().manual_seed(0)).double()


def test_gradient_of_saturated_draws():
    """That of the formula, s (1 - s) / (T p (1 - p)), but for numbers that are next to nothing."""
    torch.manual_seed(0)
    probs = torch.full((500, 1, 4, 4), 0.1, requires_grad=True)
    draw_concrete(probs, temperature=0.01).sum().backward()
    torch.manual_seed(0)
    noise = torch.rand(probs.shape).double().clamp(1e-6, 1 - 1e-6).logit()
    soft = ((math.log(0.1 / 0.9) + noise) / 0.01).sigmoid()
    expected = soft * (1 - soft) / (0.01 * 0.1 * 0.9)
    torch.testing.assert_close(probs.grad.double(), expected, rtol=1e-3, atol=1e-3)
    size = probs.grad[probs.grad != 0].abs()
    assert 0 < len(size) < probs.numel() / 10
    assert size.min() > 1e-12


@pytest.mark.parametrize('rescale', ['roi', 'batch'])
@pytest.mark.parametrize('cap, weight', [('min', 1.0), ('scale', 0.3)])
def test_one_pass_equals_two(images, cap, weight, rescale):
    """Minus the gradient for the layer, plus for the rest: against a pass without reversal and one
    with the mask as a constant."""
    options = dict(cap=cap, rescale=rescale, drop_thr=0.2, block_size=3)
    network = Network(reverse_weight=weight, **options)
    got = network.gradients(images)
    plain = Network(reverse_weight=None, **options)
    constant = copy.deepcopy(plain)
    constant.drop_layer.finish = torch.Tensor.detach
    through_mask, around_mask = plain.gradients(images), constant.gradients(images)
    assert network.drop_layer.log_vars()['kept_area'] < 0.9
    players = {True: 0, False: 0}
    for name, value in got.items():
        in_layer = name.startswith('drop_layer')
        players[in_layer] += 1
        if in_layer:
            assert around_mask[name] is None
            expected = -weight * through_mask[name]
        else:
            expected = around_mask[name]
        assert expected.abs().max() > 1e-6, name
        torch.testing.assert_close(value, expected, rtol=0, atol=1e-12)
    assert players == {True: 8, False: 4}


def test_normalisation_over_the_proposals_of_a_batch():
    """With it the probabilities of a proposal depend on the others of the batch."""
    feats = torch.rand(6, 8, 5, 5, generator=torch.Generator().manual_seed(0))
    for batch_norm, norms in ((False, 0), (True, 3)):
        torch.manual_seed(0)
        layer = ConcreteDropBlock(8, batch_norm=batch_norm).train()
        nn.init.normal_(layer.net.logit.weight, std=0.3)
        kinds = [type(module).__name__ for module in layer.net.residual]
        assert kinds.count('BatchNorm2d') == norms and kinds.count('Conv2d') == 3
        alone = layer.probabilities(feats[:3])
        assert torch.allclose(layer.probabilities(feats)[:3], alone, atol=1e-6) != batch_norm
        assert layer(feats[:0]).shape == (0, 8, 5, 5)


def test_features_get_no_gradient_through_the_layer(images):
    layer = Network().drop_layer
    feats = images.new_ones(2, 6, 5, 5, requires_grad=True)
    probs = layer.probabilities(feats)
    grads = torch.autograd.grad(probs.sum(), [feats, *layer.parameters()], allow_unused=True)
    assert grads[0] is None and all(grad is not None for grad in grads[1:])


def test_reverse_gradient():
    x = torch.tensor([2.0, -1.0], requires_grad=True)
    y = reverse_gradient(x**2, 0.5)
    assert torch.equal(y, torch.tensor([4.0, 1.0]))
    (3 * y).sum().backward()
    assert torch.equal(x.grad, torch.tensor([-6.0, 3.0]))  # -0.5 * 3 * 2x


@pytest.mark.parametrize('cap', ['min', 'scale'])
def test_without_threshold_it_is_the_identity(images, cap):
    network = Network(drop_thr=0.0, cap=cap)
    feats = network.before(images)
    for seed in range(20):
        torch.manual_seed(seed)
        assert torch.equal(network.drop_layer(feats), feats)
    grads = network.gradients(images)
    assert all(
        (grads[f'drop_layer.{n}'] == 0).all() for n, _ in network.drop_layer.named_parameters()
    )


def layer_with_logits(logits, **options):
    """A layer whose logits are these (one per channel and cell), whatever its network."""
    layer = ConcreteDropBlock(2, **options).train()
    layer.net = nn.Module()
    layer.net.logits = nn.Parameter(logits)
    layer.net.forward = lambda feats: layer.net.logits.expand(len(feats), -1, -1, -1)
    return layer


def test_caps():
    """Forward and gradient of both, by hand: p = 0.2, 0.5 and 0.9."""
    p = torch.tensor([0.2, 0.5, 0.9])
    logits = torch.log(p / (1 - p)).view(1, 1, 1, 3)
    slope = p * (1 - p)
    layer = layer_with_logits(logits, drop_thr=0.4, cap='min')
    probs = layer.probabilities(torch.ones(1, 2, 1, 3))
    torch.testing.assert_close(probs.flatten(), torch.tensor([0.2, 0.4, 0.4]))
    probs.sum().backward()
    expected = torch.tensor([slope[0], 0, 0])
    torch.testing.assert_close(layer.net.logits.grad.flatten(), expected)
    layer = layer_with_logits(logits, drop_thr=0.4, cap='scale', block_size=3)
    probs = layer.probabilities(torch.ones(1, 2, 1, 3))
    torch.testing.assert_close(probs.flatten(), p * 0.4 / 9)
    probs.sum().backward()
    torch.testing.assert_close(layer.net.logits.grad.flatten(), slope * 0.4 / 9)


@pytest.mark.parametrize('cap, start', [('min', 0.15), ('scale', 0.5 * 0.3 / 9)])
def test_first_probabilities(cap, start):
    torch.manual_seed(0)
    probs = ConcreteDropBlock(16, cap=cap).probabilities(torch.rand(4, 16, 7, 7))
    torch.testing.assert_close(probs, torch.full_like(probs, start), rtol=0.05, atol=0)


@pytest.mark.parametrize('temperature', [0.3, 2.0])
def test_draws_are_hard_with_the_gradient_of_relaxed_ones(temperature):
    p = torch.rand(500, 1, 2, 2, generator=torch.Generator().manual_seed(0)).double()
    p = (0.98 * p + 0.01).requires_grad_()
    torch.manual_seed(1)
    drawn = draw_concrete(p, temperature)
    assert set(drawn.flatten().tolist()) == {0.0, 1.0}
    weights = torch.randn(p.shape).double()
    (grad,) = torch.autograd.grad((drawn * weights).sum(), p)
    torch.manual_seed(1)
    u = torch.rand_like(p)
    with torch.no_grad():
        # sigmoid of (log p/(1-p) + log u/(1-u)) / T, and its derivative
        odds = (p / (1 - p)) * (u / (1 - u))
        soft = odds ** (1 / temperature) / (1 + odds ** (1 / temperature))
        expected = weights * soft * (1 - soft) / (temperature * p * (1 - p))
    assert torch.equal(drawn.detach(), (u > 1 - p).double())
    torch.testing.assert_close(grad, expected)


def test_draw_frequency_is_the_probability():
    torch.manual_seed(0)
    for p in (0.0, 0.003, 0.3, 0.9):
        share = draw_concrete(torch.full((200, 1, 30, 30), p), 0.01).mean()
        error = (p * (1 - p) / 180_000) ** 0.5
        assert abs(share - p) <= 4 * error


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_no_noise_draws_probability_zero(monkeypatch, dtype):
    monkeypatch.setattr(torch, 'rand_like', lambda p: torch.full_like(p, 1 - 1e-7))
    drawn = draw_concrete(torch.tensor([[[[0.0, 1e-4]]]], dtype=dtype), 0.01)
    assert drawn.flatten().tolist() == [0, 1]


@pytest.mark.parametrize('temperature', [0.5, 2.0])
def test_the_relaxed_draw_is_a_gumbel_softmax(temperature):
    """Same draws and same mean gradient as torch's over [log p, log (1 - p)]."""
    torch.manual_seed(0)
    means = []
    for draw in (
        lambda p: draw_concrete(p, temperature),
        lambda p: F.gumbel_softmax(
            torch.stack([p.log(), (1 - p).log()]), temperature, hard=True, dim=0
        )[0],
    ):
        p = torch.full((1000, 1, 20, 20), 0.3, requires_grad=True)
        drawn = draw(p)
        drawn.sum().backward()
        means.append((drawn.mean().item(), p.grad.mean().item(), p.grad.std().item()))
    for ours, theirs in zip(*means, strict=True):
        assert ours == pytest.approx(theirs, rel=0.01)


@pytest.mark.parametrize('rounded', [False, True])
@pytest.mark.parametrize('size', [1, 3, 5])
def test_blocks_around_draws(size, rounded):
    """The union of the blocks around the draws; the gradient of a cell goes to the centre of its
    block whose relaxed draw is highest, of rounded draws to the first one."""
    p = torch.full((30, 1, 6, 7), 0.05, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(2)
    blocks = draw_concrete(p, 1.0, size, rounded)
    weights = torch.randn(p.shape).double()
    (grad,) = torch.autograd.grad((blocks * weights).sum(), p)
    torch.manual_seed(2)
    u = torch.rand_like(p)
    odds = 0.05 / 0.95 * u / (1 - u)
    soft = odds / (1 + odds)
    expected, slopes = torch.zeros_like(p), torch.zeros_like(p)
    for n, row, column in itertools.product(range(30), range(6), range(7)):
        reach = size // 2
        centres = [
            (soft[n, 0, y, x], y, x)
            for y, x in itertools.product(range(6), range(7))
            if abs(y - row) <= reach and abs(x - column) <= reach
        ]
        _, y, x = max(centres, key=lambda entry: (entry[0] > 0.5) if rounded else entry[0])
        best = soft[n, 0, y, x]
        expected[n, 0, row, column] = float(best > 0.5)
        slopes[n, 0, y, x] += weights[n, 0, row, column] * best * (1 - best) / (0.05 * 0.95)
    assert 0 < expected.mean() < 1
    assert torch.equal(blocks.detach(), expected)
    torch.testing.assert_close(grad, slopes)


@pytest.mark.parametrize(
    'cap, size, drop_thr, lr',
    [
        ('min', 1, 0.3, 0.01),
        ('scale', 1, 0.3, 0.01),
        ('min', 3, 0.05, 0.001),
        ('scale', 3, 0.3, 0.01),
    ],
)
def test_the_adversary_finds_the_evidence(cap, size, drop_thr, lr):
    """One cell per map, anywhere, holds all the evidence of a fixed classifier, the others a little
    against it: the layer learns to drop that cell often and to keep those away from it."""
    torch.manual_seed(0)
    layer = ConcreteDropBlock(
        8, drop_thr=drop_thr, block_size=size, cap=cap, temperature=0.3, mid_channels=8
    ).train()
    optimizer = torch.optim.Adam(layer.parameters(), lr=lr)

    def features(num):
        row, column = torch.randint(1, 6, (2, num))
        feats = 0.1 * torch.rand(num, 8, 7, 7)
        feats[:, 0] = -0.1
        feats[torch.arange(num), 0, row, column] = 3
        return feats

    def rates():
        """Shares that are dropped of the cells with evidence and of those outside their blocks."""
        feats = features(3000)
        evidence = (feats[:, :1] == 3).float()
        near = F.max_pool2d(evidence, size, 1, size // 2)
        with torch.no_grad():
            dropped = (layer(feats)[:, 1:2] == 0).float()
        return (dropped * evidence).sum() / 3000, (dropped * (1 - near)).sum() / (1 - near).sum()

    start = rates()
    for _ in range(250):
        loss = F.softplus(-layer(features(64))[:, 0].sum(dim=(1, 2))).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    evidence, others = rates()
    assert start[0] < 1.3 * start[1]
    assert evidence > 1.5 * start[0] and evidence > 1.8 * others


@pytest.mark.parametrize(
    'options, value',
    [
        (dict(drop_thr=1.0), 'drop_thr .*1.0'),
        (dict(drop_thr=-0.1), 'drop_thr .*-0.1'),
        (dict(cap='max'), "cap .*'max'"),
        (dict(temperature=0.0), 'temperature .*0.0'),
        (dict(block_size=2), 'block_size .*2'),
        (dict(rescale='image'), "rescale .*'image'"),
        (dict(warmup_steps=-5), 'warmup_steps .*-5'),
    ],
)
def test_options_outside_their_range_are_named(options, value):
    with pytest.raises(ValueError, match=value):
        ConcreteDropBlock(in_channels=4, **options)
