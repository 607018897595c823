"""Which layers of a detector are constant, and C5 that does not train."""

import pytest
import torch
import torch.nn.functional as F

from wsl_plugins.models.roi_heads import FrozenResLayer
from wsl_plugins.models.roi_heads.constant_layers import RoIFeatures, constant_layers, takes_means

POOL = dict(type='wsl_plugins.NormalizedAvgPool', scale=2.0)


@pytest.fixture
def detector(make_detector):
    """Function that builds the small detector, its backbone frozen, with these layers behind."""

    def make(*shared, **roi_head):
        model = make_detector(shared_head=list(shared), in_channels=32, **roi_head)
        model.backbone.requires_grad_(False)
        return model

    return make


@pytest.fixture
def batch(make_batch):
    return make_batch([(64, 96)], [5], [[1, 0, 1]])


class Half(torch.nn.Module):
    """A layer that computes otherwise in training."""

    def forward(self, x):
        return x / 2 if self.training else x


TRUNK = ['backbone', 'roi_head.bbox_roi_extractor']


def test_dropout_stays_outside(detector, batch):
    model = detector(dict(POOL, dropout=0.5))
    assert constant_layers(model, batch) == TRUNK
    assert takes_means(model, TRUNK)
    assert RoIFeatures(model, TRUNK)(batch).shape == (5, 32, 1, 1)


def test_constant_part(detector, batch):
    layers = constant_layers(detector(POOL), batch)
    assert layers == [*TRUNK, 'roi_head.shared_head.0']


def test_training_part(detector, batch):
    model = detector(POOL)
    model.roi_head.shared_head.insert(0, Half())
    assert constant_layers(model, batch) == TRUNK
    assert not takes_means(model, TRUNK)
    assert RoIFeatures(model, TRUNK)(batch).shape == (5, 32, 3, 3)


def test_drop_layer_first(detector, batch):
    layer = dict(type='wsl_plugins.ConcreteDropBlock', in_channels=32)
    model = detector(POOL, drop_layer=layer)
    assert constant_layers(model, batch) == TRUNK
    assert not takes_means(model, TRUNK)


def test_refused(detector, batch):
    model = detector(POOL)
    model.backbone.layer3.register_forward_hook(
        lambda module, inputs, output: F.dropout(output, 0.5, module.training)
    )
    with pytest.raises(ValueError, match='compute otherwise in training than in evaluation'):
        constant_layers(model, batch)
    model = detector(POOL, drop_layer=dict(type='wsl_plugins.SpatialDropout'))
    with pytest.raises(ValueError, match='SpatialDropout. drops cells of the image'):
        constant_layers(model, batch)
    with pytest.raises(ValueError, match='with a WSODRoIHead, the model is Half'):
        constant_layers(Half(), batch)


def test_frozen_res_layer():
    layer = FrozenResLayer(depth=18)
    assert layer.train() is layer
    assert not any(module.training for module in layer.modules())
    assert not any(parameter.requires_grad for parameter in layer.parameters())
    x = torch.rand(3, 256, 7, 7)
    assert layer(x).shape == (3, 512, 4, 4)
    assert torch.equal(layer(x), layer(x))
