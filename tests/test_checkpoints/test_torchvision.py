"""torchvision's networks with random weights give the same outputs here after the conversion."""

import re

import pytest
import torch
import torchvision
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn

from wsl_plugins.checkpoints import convert
from wsl_plugins.checkpoints.layouts import TORCHVISION
from wsl_plugins.checkpoints.mapping import for_init
from wsl_plugins.registry import MODELS

pytest.importorskip('mmpretrain')


def random_statistics(net):
    """Batch normalisation that does something."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.1, 0.1)
    return net.eval()


def load(cfg, source):
    """The model of a config with what the source has for it, and the conversion."""
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    shapes = {name: weight.shape for name, weight in model.state_dict().items()}
    found = convert(source, shapes, TORCHVISION)
    assert not found.missing
    assert model.load_state_dict(found.weights, strict=False).unexpected_keys == []
    return model.eval(), found


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    assert theirs.std() > 1e-3  # not all the same


@torch.no_grad()
def test_resnet18_with_conv5_on_each_proposal():
    torch.manual_seed(0)
    net = random_statistics(torchvision.models.resnet18())
    cfg = Config.fromfile('configs/wsddn/wsddn_r18-c4_voc07.py')
    model, found = load(cfg, net.state_dict())
    x = net.maxpool(net.relu(net.bn1(net.conv1(image := torch.randn(2, 3, 64, 96)))))
    x = net.layer3(net.layer2(net.layer1(x)))
    close(model.backbone(image)[-1], x)
    close(model.roi_head.shared_head(x), net.layer4(x))
    assert list(found.unused) == ['fc.weight', 'fc.bias']
    assert {name.split('.')[1] for name in found.unfilled} == {'mil_head'}
    # as init_cfg=dict(type='Pretrained') reads it: torchvision's own names
    assert for_init(found.weights).keys() == net.state_dict().keys() - {'fc.weight', 'fc.bias'}


@torch.no_grad()
def test_resnet18_all_in_the_backbone_and_files_without_counters():
    torch.manual_seed(0)
    net = random_statistics(torchvision.models.resnet18(num_classes=27))
    source = {k: v for k, v in net.state_dict().items() if 'num_batches_tracked' not in k}
    model, found = load(Config.fromfile('configs/psol/classifier_resnet18_cub27.py'), source)
    image = torch.randn(1, 3, 64, 64)
    close(model.head.fc(model.neck(model.backbone(image))[-1]), net(image))
    assert not found.unused and all('num_batches' in name for name in found.unfilled)


@torch.no_grad()
def test_vgg11_with_fully_connected_layers():
    torch.manual_seed(0)
    with torch.device('meta'):
        net = torchvision.models.vgg11(init_weights=False)
    net.features = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs['A'])
    fc6, fc7, fc8 = nn.Linear(25088, 8), nn.Linear(8, 8), nn.Linear(8, 1000)
    net.classifier[0], net.classifier[3], net.classifier[6] = fc6, fc7, fc8
    cfg = Config.fromfile('configs/psol/psol_vgg16-joint_imagenet.py')
    cfg.merge_from_dict({'model.backbone.depth': 11, 'model.backbone.fc_channels': 8})
    cfg.model.head.in_channels = 8
    model, found = load(cfg, net.state_dict())
    image = torch.randn(1, 3, 224, 224)
    net.eval()
    close(model.head.fc(model.backbone(image)[-1]), net(image))
    assert not found.unused
    # fc6 and fc7 go to the shared head of a detector
    detector = Config.fromfile('configs/wsddn/wsddn_vgg16_voc07.py')
    detector.model.backbone.depth = 11
    detector.model.roi_head.in_channels = 8
    detector.model.roi_head.shared_head.fc_channels = (8, 8)
    model, found = load(detector, net.state_dict())
    pooled = torch.randn(3, 512, 7, 7)
    close(model.roi_head.shared_head(pooled), net.classifier[:6](pooled.flatten(1)))
    with pytest.raises(ValueError, match=r'classifier.0.weight: \(8, 25088\) does not fit'):
        detector.model.roi_head.shared_head.fc_channels = (16, 8)
        load(detector, net.state_dict())


@torch.no_grad()
def test_densenet121_under_both_names():
    torch.manual_seed(0)
    net = random_statistics(torchvision.models.densenet121())
    cfg = Config.fromfile('configs/psol/psol_densenet161-joint_imagenet.py')
    cfg.merge_from_dict({'model.backbone.arch': '121', 'model.head.in_channels': 1024})
    source = net.state_dict()
    model, found = load(cfg, source)
    assert not found.unused
    image = torch.randn(1, 3, 64, 64)
    features = model.backbone(image)[-1]
    close(features, torch.relu(net.features(image)))
    close(model.head.fc(features.mean(dim=(2, 3))), net(image))
    # the published files: denselayer1.norm.1 for denselayer1.norm1
    digit = re.compile(r'(denselayer\d+\.\w+)([12])\.')
    old = {digit.sub(r'\1.\2.', key): weight for key, weight in source.items()}
    assert 'features.denseblock1.denselayer1.norm.1.weight' in old
    again = convert(old, {k: v.shape for k, v in model.state_dict().items()}, TORCHVISION)
    assert not again.unused and again.weights.keys() == found.weights.keys()
    assert all(torch.equal(again.weights[k], weight) for k, weight in found.weights.items())


@torch.no_grad()
def test_inception_v3_with_its_auxiliary_branch():
    torch.manual_seed(0)
    net = torchvision.models.inception_v3(init_weights=False, transform_input=False)
    random_statistics(net)
    cfg = Config.fromfile('configs/psol/psol_inceptionv3-sep_cub.py')
    model, found = load(cfg, net.state_dict())
    last = {'fc.weight', 'fc.bias'}
    assert found.unused.keys() == last | {f'AuxLogits.{name}' for name in last}
    net.fc = net.AuxLogits.fc = nn.Identity()
    image, middle = torch.randn(1, 3, 299, 299), torch.randn(1, 768, 17, 17)
    close(model.backbone(image)[-1], net(image))
    close(model.backbone.AuxLogits(middle).flatten(1), net.AuxLogits(middle))
