"""Adversarial classifier: masks where they belong, each step's gradients in one player only."""

import pytest
import torch
import torch.nn.functional as F

pytest.importorskip('mmpretrain')

from mmengine.registry import init_default_scope  # noqa: E402

from wsl_plugins.models.seg_heads import (  # noqa: E402
    adversarial_loss,
    classifier_loss,
    masked_channels,
)
from wsl_plugins.registry import MODELS  # noqa: E402

LABELS = torch.tensor([[0, 0, 0], [1, 0, 1]])


@pytest.fixture(autouse=True, params=['mmdet', 'mmpretrain'])
def scope(request):
    init_default_scope(request.param)
    yield
    init_default_scope('mmengine')


def make_classifier(**kwargs):
    torch.manual_seed(0)
    backbone = dict(type='mmpretrain.ResNet', depth=18, base_channels=8, stem_channels=8)
    classifier = dict(
        type='wsl_plugins.WSOLClassifier',
        backbone=backbone | dict(zero_init_residual=False),
        neck=dict(type='mmpretrain.GlobalAveragePooling'),
        head=dict(type='mmpretrain.MultiLabelLinearClsHead', num_classes=3, in_channels=64),
    )
    model = MODELS.build(dict(type='wsl_plugins.MaskedClassifier', classifier=classifier, **kwargs))
    model.init_weights()
    with torch.no_grad():  # logits of a trained classifier are not near zero
        model.classifier.head.fc.weight.mul_(30)
    return model.train()


def make_inputs():
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(2, 3, 64, 96, generator=generator)
    maps = torch.rand(2, 4, 8, 12, generator=generator).softmax(dim=1)
    return images, maps


def by_hand(model, image, mask, stage):
    """Logits of one image, layer by layer, the mask after ``stage``."""
    net = model.classifier.backbone
    x = net.maxpool(net.relu(net.bn1(net.conv1(image[None]))))
    for number in range(1, 5):
        x = getattr(net, f'layer{number}')(x)
        if number == stage:
            x = x * F.interpolate(mask[None, None], x.shape[-2:], mode='bilinear')
    return model.classifier.head.fc(x.mean(dim=(2, 3)))[0]


@pytest.mark.parametrize('stage', [2, 3])
def test_losses_against_one_mask_at_a_time(stage):
    model = make_classifier(mask_after=f'backbone.layer{stage}').eval()
    images, maps = make_inputs()
    index, channel = masked_channels(LABELS, background=True)
    pairs = list(zip(index.tolist(), channel.tolist(), strict=True))
    with torch.no_grad():
        inside = torch.stack([by_hand(model, images[n], maps[n, k], stage) for n, k in pairs])
        outside = torch.stack([by_hand(model, images[n], 1 - maps[n, k], stage) for n, k in pairs])
        expected = adversarial_loss(inside, outside, LABELS, index, channel)
        torch.testing.assert_close(model.generator_loss(images, maps, LABELS), expected)

        whole = torch.stack([by_hand(model, x, torch.ones(8, 12), stage) for x in images])
        classes = outside[channel < 3]
        expected = classifier_loss(whole, classes, LABELS, index[channel < 3])
        torch.testing.assert_close(model.classifier_loss(images, maps, LABELS), expected)


def test_generator_step_moves_the_maps_only():
    model = make_classifier()
    images, maps = make_inputs()
    maps.requires_grad_()
    model.classifier.head.fc.bias.requires_grad = False  # what was fixed before stays so
    before = {k: v.clone() for k, v in model.state_dict().items()}
    loss = model.generator_loss(images, maps, LABELS)
    assert model.training and all(m.training for m in model.modules())
    loss.backward()
    named = dict(model.named_parameters())
    assert all(p.grad is None for p in named.values())
    assert [k for k, p in named.items() if not p.requires_grad] == ['classifier.head.fc.bias']
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())  # statistics too
    assert maps.grad.isfinite().all()
    for n, k in ((1, 0), (1, 2), (1, 3), (0, 3)):
        assert maps.grad[n, k].any()
    for n, k in ((1, 1), (0, 0), (0, 1), (0, 2)):  # negative classes do not mask
        assert not maps.grad[n, k].any()


def test_classifier_step_moves_the_classifier_only():
    model = make_classifier()
    images, maps = make_inputs()
    maps.requires_grad_()
    model.classifier_loss(images, maps, LABELS).backward()
    assert maps.grad is None
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_frozen_ends_after_an_error():
    model = make_classifier()
    model.classifier.backbone.layer1.eval()
    with pytest.raises(RuntimeError, match='stop'), model.fixed():
        assert not any(m.training for m in model.modules())
        assert not any(p.requires_grad for p in model.parameters())
        raise RuntimeError('stop')
    assert model.training and not model.classifier.backbone.layer1.training
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize('labels', [torch.zeros(2, 3, dtype=torch.long), torch.ones(2, 3)])
def test_no_class_and_every_class(labels):
    model = make_classifier()
    images, maps = make_inputs()
    with torch.autocast('cpu', torch.bfloat16):
        losses = (
            model.generator_loss(images, maps, labels),
            model.classifier_loss(images, maps, labels),
        )
    assert all(loss.isfinite() and loss.dtype == torch.float32 for loss in losses)
    layer = model.classifier.backbone.layer3
    assert not layer._forward_hooks


def test_unknown_layer():
    with pytest.raises(ValueError, match="has no layer 'backbone.layer9'"):
        make_classifier(mask_after='backbone.layer9')
