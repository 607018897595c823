"""Cells of networks with TensorFlow's padding are centred: where their receptive fields lie."""

import pytest
import torch
from torch import nn

from wsl_plugins.models.backbones import TimmBackbone
from wsl_plugins.models.timm_padding import centre_cells

timm = pytest.importorskip('timm')
LITE0 = 'tf_efficientnet_lite0'


def middle_of_cell(backbone, height, width, row, column):
    """Mean pixel (y, x) of what a cell sees when strided layers average, and others copy."""
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
            if module.stride == (1, 1) and module.kernel_size != (1, 1):
                nn.init.zeros_(module.weight)
                module.weight.data[:, :, module.kernel_size[0] // 2, module.kernel_size[1] // 2] = 1
        if hasattr(module, 'se'):  # which sees the whole image
            module.se = nn.Identity()
    image = torch.full((1, 3, height, width), 1e-3, requires_grad=True)
    backbone.eval()(image)[0][0, 0, row, column].backward()
    seen = image.grad[0].sum(0)
    assert seen.min() >= 0 and seen[0].sum() == seen[:, 0].sum() == 0  # all of it is inside
    ys, xs = (torch.arange(side, dtype=torch.float) for side in (height, width))
    return float(seen.sum(1) @ ys / seen.sum()), float(seen.sum(0) @ xs / seen.sum())


@pytest.mark.parametrize(
    ('stride', 'options'),
    [
        (32, {}),
        (32, dict(model_name='tf_mixnet_s', out_indices=(4,))),  # kernels of several sizes
        (16, dict(out_indices=(3,))),
        (16, dict(output_stride=16)),  # dilated
        (8, dict(out_indices=(2,))),
        (4, dict(out_indices=(1,))),
        (2, dict(out_indices=(0,))),
    ],
)
def test_middle_of_a_cell(stride, options):
    """On even sides as on odd ones; as TensorFlow pads it is half a cell away."""
    side = 384 if 'model_name' in options else 256
    options = dict(dict(model_name=LITE0), **options)
    row, column = side // stride // 2, side // stride // 2 - 1
    expected = [(k + 0.5) * stride - 0.5 for k in (row, column)]
    for height, width in ((side, side), (side - 1, side - stride // 2 + 1)):
        found = middle_of_cell(TimmBackbone(**options), height, width, row, column)
        assert found == pytest.approx(expected, abs=0.6)
    found = middle_of_cell(TimmBackbone(**options, centred=False), side, side, row, column)
    assert found == pytest.approx([k + (stride - 1) / 2 for k in expected], abs=0.1)


def test_values_are_those_of_the_image_further_down():
    """The weights are used as they are: no layer sees another neighbour."""
    options = dict(model_name=LITE0, out_indices=(3,))
    centred, plain = (TimmBackbone(**options, centred=c).eval() for c in (True, False))
    plain.load_state_dict(centred.state_dict())
    image = torch.zeros(1, 3, 320, 320)
    image[..., 150:170, 150:170] = torch.rand(3, 20, 20)
    with torch.no_grad():
        found, expected = centred(image)[0], plain(image.roll((8, 8), (2, 3)))[0]
    inside = (..., slice(8, 12), slice(8, 12))
    torch.testing.assert_close(found[inside], expected[inside])
    assert not found[inside].allclose(plain(image)[0][inside])


@pytest.mark.parametrize('side', [64, 65, 95, 97])
def test_number_of_cells_is_that_of_tensorflow(side):
    image = torch.rand(1, 3, side, 64)
    for options in ({}, dict(out_indices=(3,)), dict(output_stride=16)):
        shapes = [
            TimmBackbone(LITE0, centred=c, **options).eval()(image)[0].shape for c in (True, False)
        ]
        assert shapes[0] == shapes[1]


def test_which_networks():
    """Those with other padding, or strided layers side by side, stay as they are."""
    for name in ('tf_efficientnet_b0', 'tf_mobilenetv3_small_075', 'tf_efficientnet_cc_b0_4e'):
        network = timm.create_model(name).eval()
        assert centre_cells(network) == 32
        assert network.forward_features(torch.rand(1, 3, 64, 64)).shape[2:] == (2, 2)
    assert centre_cells(timm.create_model('efficientnet_b0', pad_type='same')) == 32
    for name in ('efficientnet_lite0', 'resnet18', 'dm_nfnet_f0'):
        network = timm.create_model(name)
        assert centre_cells(network) == 1
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())
    assert TimmBackbone('resnet18', out_indices=(1, 2)).stride == 1


def test_several_strides():
    with pytest.raises(ValueError, match=r'got out_indices=\(3, -1\), of strides \[16, 32\]; cen'):
        TimmBackbone(LITE0, out_indices=(3, -1))
    assert (
        len(TimmBackbone(LITE0, out_indices=(3, 4), centred=False)(torch.rand(2, 3, 64, 64))) == 2
    )
    dilated = TimmBackbone(LITE0, out_indices=(3, 4), output_stride=16)  # one stride
    assert dilated.stride == 16


def test_dilated_cells_are_strided_cells():
    """Every other cell, number by number: what dilation changes is how many there are."""
    torch.manual_seed(0)
    strided, dilated = (
        TimmBackbone(LITE0, (4,), centred=False, output_stride=stride).eval() for stride in (32, 16)
    )
    dilated.load_state_dict(strided.state_dict())
    images = torch.rand(1, 3, 448, 448)
    with torch.no_grad():
        few, many = strided(images)[0], dilated(images)[0]
    inner = slice(4, -4)  # padding is seen elsewhere
    torch.testing.assert_close(many[:, :, 1::2, 1::2][:, :, inner, inner], few[:, :, inner, inner])
    assert not torch.allclose(many[:, :, ::2, ::2][:, :, inner, inner], few[:, :, inner, inner])
