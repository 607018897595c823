"""Attention-based dropout layer."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import DefaultScope

from wsl_plugins.models.layers import ADL
from wsl_plugins.models.layers.adl import attention_map, keep_mask
from wsl_plugins.registry import MODELS

from mmpretrain.structures import DataSample

SEED = 1


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


def adl_of_the_paper(feats, drop_rate, threshold):
    """Section 3: the sum of both maps, one of them times zero."""
    attention = feats.mean(dim=1, keepdim=True)
    peak = attention.flatten(1).max(dim=1).values.view(-1, 1, 1, 1)
    chosen = (torch.rand(()) < drop_rate).float()
    drop = (attention < threshold * peak).float()
    return feats * (chosen * drop + (1 - chosen) * torch.sigmoid(attention))


@pytest.mark.parametrize('size', [14, 28])
def test_inception_v3_inserts_where_published(size, without_weights):
    """Losses and gradients of the config are those of the network written out."""
    cfg = Config.fromfile('configs/wsol/adl/adl_inceptionv3_cub.py')
    without_weights(cfg.model)
    cfg.model.backbone.score_map_size = size
    for insert in cfg.model.inserts:
        insert.layer.drop_rate = 0.5  # with the seed below both maps are drawn
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg.model).train()
    model.init_weights()
    images, labels = torch.randn(2, 3, 96, 96), torch.tensor([3, 7])
    samples = [DataSample().set_gt_label(label) for label in labels]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(SEED)
    loss = model(images, samples, mode='loss')['loss']
    loss.backward()
    grads = {name: p.grad.clone() for name, p in model.named_parameters()}

    model.load_state_dict(state)  # the running means have moved
    model.zero_grad()
    net, neck, head = model.backbone, model.neck.layers, model.head
    hooks = (net.Mixed_5d, net.Mixed_6e, neck[3])
    for layer in hooks:
        layer._forward_hooks.clear()
    torch.manual_seed(SEED)
    assert len({bool(torch.rand(()) < 0.5) for _ in range(3)}) == 2
    torch.manual_seed(SEED)
    x = net.Conv2d_2b_3x3(net.Conv2d_2a_3x3(net.Conv2d_1a_3x3(images)))
    x = F.max_pool2d(x, 3, 2, padding=1, ceil_mode=True)
    x = net.Conv2d_4a_3x3(net.Conv2d_3b_1x1(x))
    x = F.max_pool2d(x, 3, 2, padding=1, ceil_mode=True)
    x = adl_of_the_paper(net.Mixed_5d(net.Mixed_5c(net.Mixed_5b(x))), 0.5, 0.9)
    if size == 14:
        x = F.max_pool2d(x, 3, 2, ceil_mode=True)
    x = net.Mixed_6e(net.Mixed_6d(net.Mixed_6c(net.Mixed_6b(net.Mixed_6a(x)))))
    x = adl_of_the_paper(x, 0.5, 0.9)
    x = adl_of_the_paper(neck[3](neck[1](x)), 0.5, 0.9)
    expected = F.cross_entropy(head.fc(x.mean(dim=(2, 3))), labels)
    expected.backward()
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=0)
    for name, parameter in model.named_parameters():
        scale = parameter.grad.abs().max()
        assert (grads[name] - parameter.grad).abs().max() <= 1e-5 * scale, name
        assert scale > 0, name
