"""Average, fixed length, dropout."""

import math

import pytest
import torch
from mmengine.registry import init_default_scope

from wsl_plugins.models.roi_heads import NormalizedAvgPool
from wsl_plugins.registry import MODELS


def test_vectors_by_hand():
    maps = torch.zeros(2, 2, 1, 2)
    maps[0, 0] = torch.tensor([[2.0, 4.0]])  # mean (3, 4) of two channels: length 5
    maps[0, 1] = torch.tensor([[8.0, 0.0]])
    got = NormalizedAvgPool(scale=10.0)(maps)
    torch.testing.assert_close(got, torch.tensor([[6.0, 8.0], [0.0, 0.0]]))


def test_dropout_in_training_only_and_float32_from_bfloat16():
    pool = NormalizedAvgPool(scale=1.0, dropout=0.5)
    maps = torch.ones(4, 400, 2, 2, dtype=torch.bfloat16)
    full = pool.eval()(maps)
    assert full.dtype == torch.float32
    torch.testing.assert_close(full, torch.full((4, 400), 1 / math.sqrt(400)))
    dropped = pool.train()(maps)
    assert 0.4 < (dropped == 0).float().mean() < 0.6
    torch.testing.assert_close(dropped[dropped > 0], 2 * full[dropped > 0])


def test_no_proposal_and_a_list_as_shared_head():
    init_default_scope('mmdet')
    layers = [
        dict(type='ResLayer', depth=18),
        dict(type='wsl_plugins.NormalizedAvgPool', scale=5.0),
    ]
    head = MODELS.build(layers)
    assert head(torch.zeros(0, 256, 7, 7)).shape == (0, 512)
    assert head(torch.rand(3, 256, 7, 7)).norm(dim=1).allclose(torch.full((3,), 5.0))
    init_default_scope('mmengine')


def test_parts_by_themselves():
    maps = torch.tensor([3.0, 4, 0, 5])[None, :, None, None]
    got = NormalizedAvgPool(scale=10.0, groups=2)(maps)
    torch.testing.assert_close(got, torch.tensor([[6.0, 8, 0, 10]]))
    got = NormalizedAvgPool(scale=10.0, groups=[1, 3])(maps)
    torch.testing.assert_close(got[0, 1:], 10 * maps[0, 1:, 0, 0] / math.sqrt(41))
    assert got[0, 0] == 10
    with pytest.raises(ValueError, match='groups must be at least 1, got 0'):
        NormalizedAvgPool(scale=1.0, groups=0)


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_gradient_lies_as_the_maps_do(layout):
    """What it is multiplied by then, such as a learned mask's maps, is read in one order."""
    maps = torch.rand(3, 8, 4, 5).contiguous(memory_format=layout).requires_grad_()
    got = NormalizedAvgPool(scale=1.0)(maps)
    torch.testing.assert_close(got, torch.nn.functional.normalize(maps.mean(dim=(2, 3)), dim=1))
    seen = []
    product = maps * 1
    product.register_hook(lambda grad: seen.append(grad.stride()))
    NormalizedAvgPool(scale=1.0)(product).sum().backward()
    assert seen == [maps.stride()]
