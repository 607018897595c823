"""Segmentation branch: shapes, probabilities, gradients, options; two steps teach it."""

import pytest
import torch
from mmengine.registry import init_default_scope
from torch import nn

from wsl_plugins.models.seg_heads import SegCollabHead
from wsl_plugins.registry import MODELS

from mmdet.models.backbones.resnet import Bottleneck

DEVICES = ['cpu'] + ['cuda'] * torch.cuda.is_available()


@pytest.fixture(autouse=True, params=['mmdet', 'mmpretrain'])
def scope(request):
    init_default_scope(request.param)
    yield
    init_default_scope('mmengine')


def make_head(**kwargs):
    config = dict(in_channels=(4, 6, 8), num_classes=3, channels=16, num_groups=4)
    head = MODELS.build(dict(type='wsl_plugins.SegCollabHead', **config | kwargs))
    head.init_weights()
    return head


def make_feats(sizes, n=2, channels=(4, 6, 8)):
    generator = torch.Generator().manual_seed(0)
    return tuple(
        torch.rand(n, c, *size, generator=generator)
        for c, size in zip(channels, sizes, strict=True)
    )


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    'sizes, size',
    [
        ([(9, 14)] * 3, (9, 14)),  # all of stride 8
        ([(9, 14), (5, 7), (3, 4)], (9, 14)),  # a pyramid
        ([(1, 1), (2, 3), (1, 1)], (2, 3)),  # not the first one
    ],
)
def test_contract(device, dtype, sizes, size):
    head = make_head().to(device)
    feats = tuple(f.to(device).requires_grad_() for f in make_feats(sizes))
    with torch.autocast(device, torch.bfloat16, enabled=dtype != torch.float32):
        maps = head(feats)
    assert maps.shape == (2, 4, *size) and maps.dtype == torch.float32
    torch.testing.assert_close(maps.sum(dim=1), torch.ones(2, *size, device=device))
    torch.testing.assert_close(maps, torch.full_like(maps, 0.25), atol=0.15, rtol=0)
    maps[:, 0].log().mean().backward()
    for tensor in (*feats, *head.parameters()):
        assert tensor.grad is not None and tensor.grad.isfinite().all()
        assert tensor.grad.any() or min(sizes) == (1, 1)  # normalised, one pixel has none


def test_form_as_published():
    head = SegCollabHead((256, 512, 512), num_classes=20)
    modules = list(head.modules())
    assert [sum(isinstance(m, Bottleneck) for m in x.modules()) for x in head.laterals] == [0, 1, 2]
    assert isinstance(head.merge, Bottleneck) and head.merge.conv1.in_channels == 768
    assert [x[0].conv.out_channels for x in head.laterals] == [256] * 3
    norms = [m for m in modules if isinstance(m, nn.GroupNorm)]
    assert len(norms) == 3 + 3 * 3 + 4 and {n.num_groups for n in norms} == {32}
    assert not [m for m in modules if isinstance(m, nn.BatchNorm2d)]
    assert (head.conv_seg.out_channels, head.conv_seg.kernel_size) == (21, (3, 3))


def test_an_image_does_not_depend_on_its_batch():
    head = make_head()
    feats = make_feats([(5, 7)] * 3)
    torch.testing.assert_close(head(feats)[1:], head(tuple(f[1:] for f in feats)))


def test_it_learns_where_the_classes_are():
    torch.manual_seed(0)
    head = make_head()
    feats = make_feats([(6, 8)] * 3)
    target = torch.zeros(2, 6, 8, dtype=torch.long)
    target[0, :, 4:] = 2
    target[1, :3] = 3
    optimizer = torch.optim.Adam(head.parameters(), lr=0.01)
    losses = []
    for _ in range(30):
        loss = nn.functional.nll_loss(head(feats).log(), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 3


def test_bad_arguments():
    with pytest.raises(ValueError, match=r'multiple of 4 \* num_groups = 128, got 64'):
        SegCollabHead((4,), 3, channels=64)
    with pytest.raises(ValueError, match='expected 3 feature maps, as in_channels has, got 2'):
        make_head()(make_feats([(3, 3)] * 3)[:2])
