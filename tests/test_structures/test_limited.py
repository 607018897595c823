"""Gradients at bounds are those of torch up to 2.13, whatever the release."""

import torch

from wsl_plugins.models.layers import ConcreteDropBlock
from wsl_plugins.models.losses import image_bce
from wsl_plugins.structures.limited import limited


def test_limited():
    x = torch.tensor([-2.0, -1.0, 0.3, 1.0, 1.5, float('inf')], requires_grad=True)
    y = limited(x, -1, 1)
    assert torch.equal(y, x.clamp(-1, 1))
    y.sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0, 0]
    assert limited(torch.tensor(float('nan')), 0, 1).isnan()
    assert torch.equal(limited(x, high=0.5), x.clamp(max=0.5))


def test_image_score_at_its_bound():
    score = torch.tensor([[0.25, 0.5]], requires_grad=True)
    image_bce(score, torch.tensor([[1, 0]]), eps=0.25).sum().backward()
    torch.testing.assert_close(score.grad, torch.tensor([[-4.0, 2.0]]))


def test_cap_of_the_drop_layer():
    layer = ConcreteDropBlock(in_channels=2, drop_thr=0.5, warmup_steps=0)
    with torch.no_grad():
        for parameter in layer.net.parameters():
            parameter.zero_()  # p = 0.5
    probs = layer.probabilities(torch.rand(1, 2, 3, 3))
    assert (probs == 0.5).all()
    probs.sum().backward()
    assert max(p.grad.abs().max() for p in layer.net.parameters() if p.grad is not None) > 0
