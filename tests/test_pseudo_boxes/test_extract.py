"""Features of a layer against the network cut there; weights of all kinds of files."""

import pickle

import numpy as np
import pytest
import torch
import torchvision
from mmengine.logging import HistoryBuffer

from wsl_plugins.checkpoints import read_checkpoint
from wsl_plugins.pseudo_boxes.extract import from_config, from_torchvision
from wsl_plugins.pseudo_boxes.weights import file_sha256

CONFIG = """
data_preprocessor = dict(mean=[10.0, 20.0, 30.0], std=[5.0, 6.0, 7.0], to_rgb=True)
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=18, out_indices=(2, 3)),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=5, in_channels=512))
"""


@pytest.fixture(scope='module')
def resnet():
    torch.manual_seed(0)
    model = torchvision.models.resnet18(weights=None).eval()
    for name, buffer in model.named_buffers():  # or forgotten statistics go unseen
        if buffer.is_floating_point():
            low, high = (0.5, 1.5) if name.endswith('var') else (-0.1, 0.1)
            buffer.uniform_(low, high)
    return model


@pytest.fixture(scope='module')
def weights(resnet, tmp_path_factory):
    path = tmp_path_factory.mktemp('weights') / 'r18.pth'
    torch.save(resnet.state_dict(), path)
    return path


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=generator)


def through(resnet, images, mean, std, last):
    """Layers of torchvision's ResNet one after the other."""
    rgb = torch.stack([images[:, 2], images[:, 1], images[:, 0]], dim=1).float()
    x = (rgb - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    for name in ('conv1', 'bn1', 'relu', 'maxpool', 'layer1', 'layer2', 'layer3', 'layer4'):
        x = getattr(resnet, name)(x)
        if name == last:
            assert x.detach().std() > 0.1  # zeros would hide every mistake
            return x.detach()


@pytest.mark.parametrize('layer', ['layer3', 'layer4'])
def test_torchvision(resnet, weights, images, layer):
    features = from_torchvision('resnet18', weights, layer, 64)
    expected = through(resnet, images, [123.675, 116.28, 103.53], [58.395, 57.12, 57.375], layer)
    torch.testing.assert_close(features(images), expected)
    assert features.channels == expected.size(1)
    assert features.info == dict(
        model='torchvision resnet18', model_sha256=None, weights='r18.pth',
        weights_sha256=file_sha256(weights), layer=layer, input_size=64,
    )  # fmt: skip
    assert not any(key.startswith(('fc', 'layer4')) for key in features.keys) or layer == 'layer4'


@pytest.mark.parametrize('layer', ['backbone', 'backbone.layer3'])
def test_config(resnet, weights, images, layer, tmp_path):
    (tmp_path / 'r18.py').write_text(CONFIG)
    features = from_config(tmp_path / 'r18.py', weights, layer, 64)
    last = 'layer4' if layer == 'backbone' else 'layer3'
    expected = through(resnet, images, [10.0, 20.0, 30.0], [5.0, 6.0, 7.0], last)
    torch.testing.assert_close(features(images), expected)
    assert features.info['model'] == 'r18.py' and len(features.info['model_sha256']) == 64


def test_weights_of_init_cfg(resnet, weights, images, tmp_path):
    pretrained = f"backbone=dict(init_cfg=dict(type='Pretrained', checkpoint={str(weights)!r}), "
    (tmp_path / 'r18.py').write_text(CONFIG.replace('backbone=dict(', pretrained))
    features = from_config(tmp_path / 'r18.py', None, 'backbone', 64)
    expected = through(resnet, images, [10.0, 20.0, 30.0], [5.0, 6.0, 7.0], 'layer4')
    torch.testing.assert_close(features(images), expected)
    (tmp_path / 'bare.py').write_text(CONFIG)
    with pytest.raises(ValueError, match='bare.py names no file of weights .*--weights'):
        from_config(tmp_path / 'bare.py', None, 'backbone', 64)


def test_layers_behind_do_not_run(weights, images):
    features = from_torchvision('resnet18', weights, 'layer2', 64)
    ran = []
    features.model.layer3.register_forward_hook(lambda *args: ran.append(args))
    assert features(images).shape == (2, 128, 8, 8) and not ran
    assert not features.model.layer2._forward_hooks


def test_weights_that_are_needed(resnet, tmp_path):
    state = resnet.state_dict()
    path = tmp_path / 'part.pth'
    torch.save({k: v for k, v in state.items() if not k.startswith(('fc', 'layer4'))}, path)
    from_torchvision('resnet18', path, 'layer3', 64)
    with pytest.raises(ValueError, match='of 100 .*: 25 missing weights: layer4.0.conv1'):
        from_torchvision('resnet18', path, 'layer4', 64)
    torch.save({**state, 'layer1.0.conv1.weight': torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r'layer1.0.conv1.weight has shape \(1,\), the model'):
        from_torchvision('resnet18', path, 'layer4', 64)
    torch.save({**state, 'fc.weight': torch.zeros(7, 512)}, path)  # other classes: not needed
    from_torchvision('resnet18', path, 'layer4', 64)


def test_checkpoint_of_a_training_run(resnet, tmp_path):
    history = HistoryBuffer(np.ones(2), np.ones(2))
    state = {f'module.{key}': value for key, value in resnet.state_dict().items()}
    path = tmp_path / 'epoch_1.pth'
    hub = dict(loss=history, best_score=np.float64(49.5), best_epoch=np.int64(3))
    torch.save(dict(meta=dict(epoch=1), state_dict=state, message_hub=hub), path)
    found = read_checkpoint(path).weights
    assert found.keys() == resnet.state_dict().keys()
    assert torch.equal(found['fc.bias'], resnet.fc.bias)


class Malicious:
    def __reduce__(self):
        return print, ('was run',)


def test_files_that_are_no_weights(tmp_path, capsys):
    path = tmp_path / 'w.pth'
    with pytest.raises(FileNotFoundError, match='w.pth: no such file of weights'):
        read_checkpoint(path)
    path.write_bytes(b'nothing')
    with pytest.raises(ValueError, match='w.pth: no weights'):
        read_checkpoint(path)
    path.write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(ValueError, match='w.pth: no weights'):
        read_checkpoint(path)
    torch.save(dict(state_dict=Malicious()), path)
    with pytest.raises(ValueError, match='w.pth: no weights: .*Unsupported.*print'):
        read_checkpoint(path)
    torch.save(dict(epoch=3), path)
    with pytest.raises(ValueError, match='w.pth: no weights: no tensor in it'):
        read_checkpoint(path)
    assert 'was run' not in capsys.readouterr().out


def test_layers_that_cannot_be_used(weights, tmp_path):
    with pytest.raises(ValueError, match="no layer 'layer5'; there are: conv1, .*layer4.*, fc$"):
        from_torchvision('resnet18', weights, 'layer5', 64)
    with pytest.raises(ValueError, match=r"layer 'fc' gives \(1, 1000\), needed is a feature map"):
        from_torchvision('resnet18', weights, 'fc', 64)
    with pytest.raises(ValueError, match="torchvision has no network 'resnet19'; it has: .*vgg16"):
        from_torchvision('resnet19', weights, 'layer4', 64)
    with pytest.raises(ValueError, match='input size must be at least 1, got 0'):
        from_torchvision('resnet18', weights, 'layer4', 0)
    (tmp_path / 'r18.py').write_text(CONFIG)
    with pytest.raises(ValueError, match="layer 'backbone.fine' is not run|no layer 'backbone.f"):
        from_config(tmp_path / 'r18.py', weights, 'backbone.fine', 64)
    with pytest.raises(FileNotFoundError, match='none.py: no such config'):
        from_config(tmp_path / 'none.py', weights, 'backbone', 64)
    (tmp_path / 'bad.py').write_text(CONFIG.replace("'ResNet'", "'ResNot'"))
    with pytest.raises(ValueError, match='bad.py: the model cannot be built: .*ResNot'):
        from_config(tmp_path / 'bad.py', weights, 'backbone', 64)
    (tmp_path / 'empty.py').write_text('a = 1')
    with pytest.raises(ValueError, match='empty.py: has no "model"'):
        from_config(tmp_path / 'empty.py', weights, 'backbone', 64)


def test_layer_that_is_not_run(weights, monkeypatch):
    build = torchvision.models.get_model

    def with_spare(*args, **kwargs):
        model = build(*args, **kwargs)
        model.spare = torch.nn.Identity()
        return model

    monkeypatch.setattr(torchvision.models, 'get_model', with_spare)
    with pytest.raises(ValueError, match="layer 'spare' is not run"):
        from_torchvision('resnet18', weights, 'spare', 64)
