"""The dilated VGG16 shares torchvision's weights and has stride 8."""

import pytest
import torch
import torchvision

from wsl_plugins.models.backbones import DilatedVGG
from wsl_plugins.models.roi_heads import FCSharedHead


def test_torchvision_weights_fit_by_name(tmp_path):
    reference = torchvision.models.vgg11()
    path = tmp_path / 'vgg11.pth'
    torch.save(reference.state_dict(), path)
    pretrained = dict(type='Pretrained', checkpoint=str(path))
    backbone = DilatedVGG(depth=11, init_cfg=pretrained)
    backbone.init_weights()
    expected = {k: v for k, v in reference.state_dict().items() if k.startswith('features')}
    assert backbone.state_dict().keys() == expected.keys()
    assert all(torch.equal(v, expected[k]) for k, v in backbone.state_dict().items())
    head = FCSharedHead(init_cfg=pretrained)
    head.init_weights()
    assert torch.equal(head.classifier[3].weight, reference.classifier[3].weight)


def test_stride_eight_and_the_same_features_up_to_conv4():
    reference = torchvision.models.vgg11().eval()
    backbone = DilatedVGG(depth=11, out_indices=(3, 4)).eval()
    backbone.load_state_dict(reference.features.state_dict(prefix='features.'))
    image = torch.rand(1, 3, 64, 96)
    conv4, conv5 = backbone(image)
    assert conv4.shape == conv5.shape == (1, 512, 8, 12)
    torch.testing.assert_close(conv4, reference.features[:15](image))
    expected = conv4
    for index in (16, 18):  # conv5 with holes of 2, no pooling before it
        conv = reference.features[index]
        expected = torch.nn.functional.conv2d(
            expected, conv.weight, conv.bias, padding=2, dilation=2
        ).relu()
    torch.testing.assert_close(conv5, expected)


def frozen_of(model):
    return [name for name, p in model.named_parameters() if not p.requires_grad]


def test_frozen_stages():
    """Before ``train()`` too: the runner wraps the model for several processes before it."""
    backbone = DilatedVGG(depth=11, frozen_stages=2)
    frozen = frozen_of(backbone)
    assert frozen == frozen_of(backbone.train())
    assert frozen == [
        'features.0.weight',
        'features.0.bias',
        'features.3.weight',
        'features.3.bias',
    ]


@pytest.mark.parametrize('stages', [-1, 0, 5])
def test_none_or_all_frozen(stages):
    learns = {p.requires_grad for p in DilatedVGG(depth=11, frozen_stages=stages).parameters()}
    assert learns == {stages < 5}


def test_number_of_frozen_stages_is_checked():
    with pytest.raises(ValueError, match=r'frozen_stages must be in -1..5, got 6'):
        DilatedVGG(depth=11, frozen_stages=6)


def test_without_the_last_relu():
    torch.manual_seed(0)
    backbone, raw = DilatedVGG(depth=11).eval(), DilatedVGG(depth=11, last_relu=False).eval()
    raw.load_state_dict(backbone.state_dict())
    image = torch.rand(1, 3, 64, 96)
    (expected,), (found,) = backbone(image), raw(image)
    assert (found < 0).any()
    torch.testing.assert_close(found.relu(), expected)
