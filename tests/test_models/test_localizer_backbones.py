"""Backbones of localizers: size of the maps, weights of the hosts' networks."""

import pytest
import torch
import torchvision

from wsl_plugins.models.backbones import LocalizerInceptionV3, LocalizerResNet, LocalizerVGG
from wsl_plugins.models.necks import ConvNeck

BACKBONES = {
    'resnet18': lambda **kw: LocalizerResNet(18, **kw),
    'resnet50': lambda **kw: LocalizerResNet(50, **kw),
    'vgg11': lambda **kw: LocalizerVGG(11, **kw),
    'inception_v3': lambda **kw: LocalizerInceptionV3(**kw),
}


@pytest.mark.parametrize('size', [14, 28])
@pytest.mark.parametrize('name', BACKBONES)
def test_map_size_and_torchvision_weights(name, size, tmp_path):
    """Loading torchvision's checkpoint leaves no parameter of the backbone untouched."""
    torch.manual_seed(1)
    extra = dict(init_weights=False) if name == 'inception_v3' else {}
    published = getattr(torchvision.models, name)(weights=None, **extra)
    torch.save(published.state_dict(), tmp_path / 'weights.pth')
    pretrained = dict(type='Pretrained', checkpoint=str(tmp_path / 'weights.pth'))
    backbone = BACKBONES[name](score_map_size=size, init_cfg=pretrained)
    backbone.init_weights()
    for key, value in backbone.state_dict().items():
        assert value.equal(published.state_dict()[key]), key
    backbone.eval()
    with torch.no_grad():
        assert backbone(torch.rand(1, 3, 224, 224))[-1].shape[-2:] == (size, size)


def test_strides_do_not_change_the_first_layers():
    """Up to the first removed stride the maps are those of the host's network."""
    host = torchvision.models.resnet18(weights=None).eval()
    backbone = LocalizerResNet(18, out_indices=(0, 1, 2))
    backbone.load_state_dict(host.state_dict(), strict=False)
    backbone.eval()
    image = torch.rand(1, 3, 96, 64)
    with torch.no_grad():
        x = host.maxpool(host.relu(host.bn1(host.conv1(image))))
        for layer, out in zip(
            (host.layer1, host.layer2, host.layer3), backbone(image), strict=True
        ):
            x = layer(x)
            torch.testing.assert_close(out, x)


def test_inception_outputs():
    backbone = LocalizerInceptionV3(out_indices=(0, 2, 1))
    backbone.eval()
    with torch.no_grad():
        mixed_5d, mixed_6d, mixed_6e = backbone(torch.rand(1, 3, 100, 160))
        torch.testing.assert_close(backbone.Mixed_6e(mixed_6d), mixed_6e)
        x = backbone.Mixed_6c(backbone.Mixed_6b(backbone.Mixed_6a(mixed_5d)))
        torch.testing.assert_close(backbone.Mixed_6d(x), mixed_6d)
    assert (mixed_5d.shape[1], mixed_6d.shape[1]) == (288, 768)
    assert not any('Mixed_7' in name or 'fc' in name for name, _ in backbone.named_parameters())
    with pytest.raises(ValueError, match=r'out_indices may hold 0 .* got \(3,\)'):
        LocalizerInceptionV3(out_indices=(3,))


def test_resnet_with_the_first_block_of_layer3():
    backbone = LocalizerResNet(50, split_layer3=True, out_indices=(1, 2, 3))
    plain = LocalizerResNet(50, out_indices=(1, 2, 3))
    plain.load_state_dict(backbone.state_dict())
    backbone.eval()
    plain.eval()
    image = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        first, *outs = backbone(image)
        for ours, out in zip(outs, plain(image), strict=True):
            assert ours.equal(out)
        assert backbone.layer3[0](outs[0]).equal(first)
        for block in list(backbone.layer3)[1:]:
            first = block(first)
        assert first.equal(outs[1])
    assert not backbone.layer3[0]._forward_hooks


@pytest.mark.parametrize('name', BACKBONES)
def test_other_sizes_are_refused(name):
    with pytest.raises(ValueError, match=r'score_map_size must be one of \(14, 28\), got 7'):
        BACKBONES[name](score_map_size=7)


def test_conv_neck():
    first, last = torch.rand(2, 3, 8, 8), torch.rand(2, 4, 4, 6)
    outs = ConvNeck(4, 5, num_convs=2)((first, last))
    assert outs[0] is first and outs[1].shape == (2, 5, 4, 6) and (outs[1] >= 0).all()
    outs = ConvNeck(4, 5, keep_input=True)((first, last))
    assert outs[1] is last and len(outs) == 3
    neck = ConvNeck(4, 5, dropout=0.9).train()
    assert (neck((last,))[0] == 0).float().mean() > 0.8
    assert sum(p.requires_grad for p in neck.parameters()) == 2
