"""Attention-based dropout layer."""

import numpy as np
import pytest
import torch

from wsl_plugins.models.layers import ADL
from wsl_plugins.models.layers.adl import attention_map, keep_mask


def test_masks_by_loops():
    feats = torch.rand(3, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    attention = attention_map(feats)
    mask = keep_mask(attention, 0.8)
    for n in range(3):
        mean = np.array([[feats[n, :, i, j].mean() for j in range(6)] for i in range(5)])
        np.testing.assert_allclose(attention[n, 0], mean, atol=1e-6)
        for i in range(5):
            for j in range(6):
                assert mask[n, 0, i, j] == float(mean[i, j] < 0.8 * mean.max())
    assert 0 < mask.mean() < 1


@pytest.mark.parametrize('drop_rate', [0.0, 1.0])
def test_one_choice_for_the_batch(drop_rate):
    feats = torch.rand(3, 4, 5, 6)
    out = ADL(drop_rate, 0.8).train()(feats)
    attention = feats.mean(dim=1, keepdim=True)
    weights = keep_mask(attention, 0.8) if drop_rate else attention.sigmoid()
    torch.testing.assert_close(out, feats * weights)


def test_drop_rate_and_evaluation():
    torch.manual_seed(0)
    layer, feats = ADL(0.3, 0.0), torch.ones(1, 1, 2, 2)
    dropped = np.mean([not layer.train()(feats).any() for _ in range(2000)])
    assert abs(dropped - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 2000)
    assert layer.eval()(feats) is feats


def test_gradients():
    """The importance map passes gradients through the attention, the drop mask none."""
    feats = torch.rand(1, 2, 2, 2, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: ADL(0.0, 0.5).train()(x), feats)
    ADL(1.0, 0.9).train()(feats).sum().backward()
    expected = keep_mask(feats.detach().mean(1, keepdim=True), 0.9).expand(1, 2, 2, 2)
    torch.testing.assert_close(feats.grad, expected)


@pytest.mark.parametrize('options', [dict(drop_rate=1.2), dict(threshold=-0.1)])
def test_options(options):
    with pytest.raises(ValueError, match=rf'{next(iter(options))} must lie in 0..1'):
        ADL(**options)
