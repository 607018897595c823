"""TriLite's head by slow loops in float64, and the backbone that it leaves as it is."""

import math
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from wsl_plugins.models.backbones import LocalizerViT
from wsl_plugins.models.localizers import CAMHead, TriLiteHead, WSOLClassifier
from wsl_plugins.models.localizers.trilite_head import background_loss, region_means

from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')
    yield
    init_default_scope('mmengine')


def samples(labels):
    return [DataSample().set_gt_label(label) for label in labels]


def softmax(values):
    total = sum(math.exp(v) for v in values)
    return [math.exp(v) / total for v in values]


def linear(fc, feature):
    weight, bias = fc.weight.tolist(), fc.bias.tolist()
    return [
        b + sum(w * f for w, f in zip(row, feature, strict=True))
        for row, b in zip(weight, bias, strict=True)
    ]


def mean_of(feats, weights):
    """feats[d][i], weights[i]: sum of w f over sum of w, channel by channel."""
    total = sum(weights) + 1e-6
    return [sum(w * f for w, f in zip(weights, row, strict=True)) / total for row in feats]


@pytest.mark.parametrize('token', [False, True])
def test_losses_by_loops(token):
    torch.manual_seed(0)
    head = TriLiteHead(4, 6, kernel_size=3, background_weight=0.7).double()
    for parameter in head.parameters():
        nn.init.normal_(parameter, std=0.5)
    head.bn.running_mean.normal_()
    head.bn.running_var.uniform_(0.5, 2)
    head.eval()
    feats = torch.randn(3, 6, 4, 5, dtype=torch.double)
    vector = torch.randn(3, 6, dtype=torch.double)
    given = (vector, feats) if token else (feats,)
    labels = [2, 0, 3]
    losses = head.loss(given, samples(labels))
    logits, maps = head.localize(given)
    conv = head.conv.weight.tolist()
    sums = dict(cls=0.0, fg=0.0, bg=0.0)
    for n, label in enumerate(labels):
        padded = nn.functional.pad(feats[n], (1, 1, 1, 1)).tolist()
        shares = []
        for i in range(4):
            for j in range(5):
                cell = []
                for k in range(3):
                    value = sum(
                        conv[k][d][a][b] * padded[d][i + a][j + b]
                        for d in range(6)
                        for a in range(3)
                        for b in range(3)
                    )
                    deviation = math.sqrt(head.bn.running_var[k].item() + head.bn.eps)
                    value = (value - head.bn.running_mean[k].item()) / deviation
                    cell.append(value * head.bn.weight[k].item() + head.bn.bias[k].item())
                shares.append(softmax(cell))
                assert maps[n, i, j].item() == pytest.approx(shares[-1][1], rel=1e-12)
        flat = feats[n].flatten(1).tolist()
        foreground = softmax(linear(head.fc, mean_of(flat, [s[1] for s in shares])))
        background = softmax(linear(head.fc, mean_of(flat, [s[2] for s in shares])))
        whole = vector[n].tolist() if token else [sum(row) / 20 for row in flat]
        scores = linear(head.fc, whole)
        assert logits[n].tolist() == pytest.approx(scores, rel=1e-12)
        sums['cls'] -= math.log(softmax(scores)[label]) / 3
        sums['fg'] -= math.log(foreground[label]) / 3
        sums['bg'] -= 0.7 * math.log(1 - background[label]) / 3
    assert {k: v.item() for k, v in losses.items()} == pytest.approx(
        {f'loss_{k}': v for k, v in sums.items()}, rel=1e-9
    )


def test_normalized_features():
    """As the head without it on features of mean 0 and variance 1 in each channel."""
    torch.manual_seed(0)
    head, plain = TriLiteHead(3, 6, normalize=True), TriLiteHead(3, 6)
    plain.load_state_dict(head.state_dict(), strict=False)
    scales = torch.tensor([0.01, 1, 50, 3, 7, 0.5])[:, None, None]
    feats, labels = torch.randn(4, 6, 5, 5) * scales + 2 * scales, samples([0, 1, 2, 0])
    even = feats - feats.mean(dim=(0, 2, 3), keepdim=True)
    even = even / (even.square().mean(dim=(0, 2, 3), keepdim=True) + head.norm.eps).sqrt()
    for key, value in plain.loss((even,), labels).items():
        torch.testing.assert_close(head.loss((feats,), labels)[key], value)
    assert not list(head.norm.parameters())


def test_background_loss_gradients():
    torch.manual_seed(0)
    logits = (3 * torch.randn(5, 4, dtype=torch.double)).requires_grad_()
    labels = torch.tensor([0, 1, 2, 3, 0])
    assert torch.autograd.gradcheck(lambda z: background_loss(z, labels), logits)
    maps = torch.rand(2, 3, 3, 2, dtype=torch.double, requires_grad=True)
    feats = torch.randn(2, 4, 3, 2, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(region_means, (feats, maps))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32])
def test_background_loss_where_p_is_one(dtype):
    """-log(1 - softmax) would be infinite, its gradient NaN."""
    logits = torch.tensor([[100.0, 0.0, 0.0], [0.0, 100.0, 0.0]], dtype=dtype, requires_grad=True)
    loss = background_loss(logits, torch.tensor([0, 0]))
    assert loss.dtype == torch.float32
    assert loss.tolist() == pytest.approx([100 - math.log(2), 0], abs=1e-4)
    loss.sum().backward()
    expected = torch.tensor([[1, -0.5, -0.5], [0, 0, 0]], dtype=dtype)
    torch.testing.assert_close(logits.grad, expected)


def test_foreground_finds_what_tells_the_class():
    """Two classes in four cells of 36, the same texture elsewhere: the map covers the four."""
    torch.manual_seed(0)
    head = TriLiteHead(2, 4, kernel_size=1)
    head.init_weights()
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    labels = torch.arange(32) % 2
    feats = torch.zeros(32, 4, 6, 6)
    feats[:, 3] = 1
    feats[torch.arange(32), labels, 2:4, 3:5] = 3
    feats[:, 3, 2:4, 3:5] = 0
    feats += 0.1 * torch.randn_like(feats)
    for _ in range(60):
        optimizer.zero_grad()
        sum(head.loss((feats,), samples(labels.tolist())).values()).backward()
        optimizer.step()
    found = head.eval().localize((feats,))[1]
    assert found[:, 2:4, 3:5].mean() > 0.8
    elsewhere = found.clone()
    elsewhere[:, 2:4, 3:5] = 0
    assert elsewhere.sum() / (32 * 32) < 0.2


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(num_classes=1), 'num_classes must be at least 2, got 1'),
        (dict(kernel_size=2), 'kernel_size must be odd and positive, got 2'),
        (dict(kernel_size=-1), 'kernel_size must be odd and positive, got -1'),
        (dict(background_weight=-0.1), 'background_weight must not be negative, got -0.1'),
        (dict(map_label='all'), "map_label must be one of .* got 'all'"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        TriLiteHead(**dict(dict(num_classes=3, in_channels=8), **options))


VIT = dict(arch='deit-tiny', img_size=64, patch_size=16)


def test_vit_gives_class_token_and_map():
    vit = LocalizerViT(**VIT, out_indices=[5, 11])
    host = MODELS.build(dict(VIT, type='VisionTransformer', out_type='raw'))
    host.load_state_dict(vit.state_dict())
    images = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        *_, token, found = vit(images)
        raw = host(images)[-1]
    assert token.equal(raw[:, 0])
    assert found.flatten(2).transpose(1, 2).equal(raw[:, 1:]) and found.shape == (2, 192, 4, 6)
    CAMHead(3, 192).localize((token, found))  # every head takes the last map
    with pytest.raises(ValueError, match='in_channels=8'):
        TriLiteHead(3, 8)((token, found))


@pytest.mark.parametrize('frozen_stages', [-1, 12])
def test_frozen_backbone(frozen_stages):
    backbone = dict(type='wsl_plugins.LocalizerViT', **VIT, frozen_stages=frozen_stages)
    head = dict(type='wsl_plugins.TriLiteHead', num_classes=3, in_channels=192)
    model = WSOLClassifier(backbone=backbone, head=head)
    model.train()
    sum(model.loss(torch.rand(2, 3, 64, 64), samples([0, 2])).values()).backward()
    learns = {name.split('.')[0] for name, p in model.named_parameters() if p.grad is not None}
    assert learns == ({'head'} if frozen_stages == 12 else {'backbone', 'head'})


def dinov2(**backbone):
    path = ROOT / 'configs' / 'wsol' / 'trilite' / 'trilite_dinov2-s_imagenet.py'
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(dict(model=dict(backbone=backbone)))
    return MODELS.build(cfg.model)


def test_fewer_than_800_000_parameters_are_trained():
    """With ViT-S/14 on ImageNet: three maps of 384 channels by 3 x 3, BN, 1,000 classes."""
    model = dinov2(init_cfg=None)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trained == 3 * 384 * 9 + 2 * 3 + (384 + 1) * 1000 < 800_000
    assert sum(p.numel() for p in model.backbone.parameters()) > 21_000_000


def test_dinov2_weights_by_file(tmp_path):
    """A file as mmpretrain publishes it fills every parameter; images of another size work."""
    published = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(
                type='VisionTransformer',
                arch='dinov2-small',
                img_size=518,
                patch_size=14,
                layer_scale_init_value=1e-5,
            ),
        )
    )
    for parameter in published.parameters():
        nn.init.normal_(parameter, std=0.02)
    torch.save(dict(state_dict=published.state_dict()), tmp_path / 'dinov2.pth')
    model = dinov2(init_cfg=dict(checkpoint=str(tmp_path / 'dinov2.pth')))
    model.init_weights()
    expected = published.backbone.state_dict()
    assert model.backbone.state_dict().keys() == expected.keys()
    for key, value in model.backbone.state_dict().items():
        assert value.equal(expected[key]), key
    with torch.no_grad():
        logits, maps = model.eval().head.localize(model.extract_feat(torch.rand(1, 3, 224, 140)))
    assert logits.shape == (1, 1000) and maps.shape == (1, 16, 10)
