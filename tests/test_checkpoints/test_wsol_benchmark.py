"""Weights of the WSOL benchmark: names as published, outputs of networks built as published."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn

from wsl_plugins.checkpoints import convert, model_shapes
from wsl_plugins.checkpoints.layouts import WSOL_BENCHMARK
from wsl_plugins.registry import MODELS

pytest.importorskip('mmpretrain')

from mmpretrain.structures import DataSample  # noqa: E402

CLASSES = 200
# features of wsol/vgg.py: channels, M pooling, A attention-based dropout
VGG = {
    'cam28': '64 64 M 128 128 M 256 256 256 M 512 512 512 512 512 512',
    'acol14': '64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M',
    'adl14': '64 64 M 128 128 M 256 256 256 M A 512 512 512 A M 512 512 512 A',
    'spg14': '64 64 M 128 128 M 256 256 256 M',
}


def vgg_features(layers):
    modules, channels = [], 3
    for word in layers.split():
        if word.isdigit():
            modules += [nn.Conv2d(channels, int(word), 3, padding=1), nn.ReLU()]
            channels = int(word)
        else:
            modules.append(nn.MaxPool2d(2) if word == 'M' else nn.Identity())
    return nn.Sequential(*modules)


def resnet(method):
    """wsol/resnet.py: layer4 (and layer3 with large maps) has stride 1; where ADL lies."""
    net = torchvision.models.resnet50(num_classes=CLASSES)
    net.layer4[0].conv2.stride = net.layer4[0].downsample[0].stride = (1, 1)
    if method == 'adl':
        net.layer3 = nn.Sequential(net.layer3[0], nn.Identity(), *net.layer3[1:])
        block = net.layer4
        net.layer4 = nn.Sequential(block[0], nn.Identity(), block[1], block[2], nn.Identity())
    return net.eval()


def config(method, backbone, **changes):
    cfg = Config.fromfile(f'configs/wsol/{method}/{method}_{backbone}_cub.py')
    cfg.merge_from_dict(changes)
    return cfg


def build_ours(cfg, net):
    """Our model with the weights of a published network, of which none is left."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg.model)
    shapes = {name: weight.shape for name, weight in model.state_dict().items()}
    found = convert(net.state_dict(), shapes, WSOL_BENCHMARK)
    assert not found.unused and not found.unfilled
    model.load_state_dict(found.weights)
    return model.eval()


@torch.no_grad()
def logits(cfg, net, image):
    """Logits of our model with the weights of a published network."""
    model = build_ours(cfg, net)
    return model.head(model.extract_feat(image))


def close(ours, published):
    torch.testing.assert_close(ours, published, rtol=0, atol=1e-5)
    assert published.std() > 1e-3  # not all the same


@pytest.mark.parametrize('size, method', [(28, 'cam'), (14, 'adl')])
def test_vgg16_gives_the_published_logits(size, method):
    torch.manual_seed(0)
    net = nn.Module()
    net.features = vgg_features(VGG[f'{method}{size}'])
    net.conv6 = nn.Conv2d(512, 1024, 3, padding=1)
    net.fc = nn.Linear(1024, CLASSES)
    cfg = config(method, 'vgg16', **{'model.backbone.score_map_size': size})
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        published = net.fc(F.relu(net.conv6(net.features(x))).mean(dim=(2, 3)))
    close(logits(cfg, net, x), published)


def test_resnet50_with_adl_gives_the_published_logits():
    torch.manual_seed(0)
    net, x = resnet('adl'), torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        published = net(x)
    close(logits(config('adl', 'resnet50'), net, x), published)


def inception():
    """The published names of wsol/inception.py are torchvision's up to Mixed_6e."""
    net = torchvision.models.inception_v3(init_weights=False, transform_input=False)
    for name in ('AuxLogits', 'Mixed_7a', 'Mixed_7b', 'Mixed_7c', 'fc'):
        delattr(net, name)
    net.SPG_A3_1b = nn.Sequential(nn.Conv2d(768, 1024, 3, padding=1), nn.ReLU())
    net.SPG_A3_2b = nn.Sequential(nn.Conv2d(1024, 1024, 3, padding=1), nn.ReLU())
    net.SPG_A4 = nn.Conv2d(1024, CLASSES, 1)
    return net.eval()


def inception_maps(net, x):
    """Mixed_5d, Mixed_6d and Mixed_6e as published, at 28 x 28 cells."""
    net.Conv2d_1a_3x3.conv.padding = (1, 1)
    for part in (net.Mixed_6a.branch3x3, net.Mixed_6a.branch3x3dbl_3):
        part.conv.stride = part.conv.padding = (1, 1)

    def mixed_6a(x):  # pools with padding, as published
        deep = net.Mixed_6a.branch3x3dbl_2(net.Mixed_6a.branch3x3dbl_1(x))
        deep = net.Mixed_6a.branch3x3dbl_3(deep)
        return torch.cat([net.Mixed_6a.branch3x3(x), deep, F.max_pool2d(x, 3, 1, padding=1)], 1)

    def pool(x):
        return F.max_pool2d(x, 3, 2, padding=1, ceil_mode=True)

    x = net.Conv2d_2b_3x3(net.Conv2d_2a_3x3(net.Conv2d_1a_3x3(x)))
    x = pool(net.Conv2d_4a_3x3(net.Conv2d_3b_1x1(pool(x))))
    mixed_5d = net.Mixed_5d(net.Mixed_5c(net.Mixed_5b(x)))
    mixed_6d = net.Mixed_6d(net.Mixed_6c(net.Mixed_6b(mixed_6a(mixed_5d))))
    return mixed_5d, mixed_6d, net.Mixed_6e(mixed_6d)


def test_inception_v3_gives_the_published_logits():
    torch.manual_seed(0)
    net, image = inception(), torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        x = inception_maps(net, image)[-1]
        published = net.SPG_A4(net.SPG_A3_2b(net.SPG_A3_1b(x))).mean(dim=(2, 3))
    cfg = config('cam', 'inceptionv3', **{'model.backbone.score_map_size': 28})
    close(logits(cfg, net, image), published)


def branch(c_in, c_out, *last):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1), nn.ReLU(), *last)


def spg_loss(net, b1_in, b2_in, c_in, labels):
    """Sum of the four losses of SPG (section 3), with the published thresholds."""

    def up(maps):
        return F.interpolate(maps, (224, 224), mode='bilinear')[:, 0]

    def guided(logits, teacher, high, low):
        chosen, wanted = [], []
        for own, attention in zip(logits, teacher.detach(), strict=True):
            object_ = attention > high
            if object_.sum() < 30:
                object_ = attention > 0.7 * attention.max()
            ground = attention < low
            chosen.append(own[object_ | ground])
            wanted.append((object_ & ~ground)[object_ | ground].float())
        return F.binary_cross_entropy_with_logits(torch.cat(chosen), torch.cat(wanted))

    maps = net.SPG_A4(c_in)
    own = up(torch.stack([maps[n, k] for n, k in enumerate(labels)])[:, None])
    low, high = own.amin((1, 2), keepdim=True), own.amax((1, 2), keepdim=True)
    b1, b2 = (up(net.SPG_B_shared(b)) for b in (net.SPG_B_1a(b1_in), net.SPG_B_2a(b2_in)))
    return (
        F.cross_entropy(maps.mean(dim=(2, 3)), torch.tensor(labels))
        + guided(b2, (own - low) / (high - low), 0.7, 0.01)
        + guided(b1, b2.sigmoid(), 0.5, 0.05)
        + guided(up(net.SPG_C(c_in)), (b1.sigmoid() + b2.sigmoid()) / 2, 0.7, 0.1)
    )


@pytest.mark.parametrize('backbone', ['resnet50', 'inceptionv3'])
def test_spg_gives_the_published_loss(backbone):
    """And gradients: of the first layer, to which all branches pass theirs."""
    torch.manual_seed(0)
    changes = {}
    if backbone == 'resnet50':
        net, (c1, c2, mid, last) = resnet('spg'), (1024, 1024, 1024, 2048)
        start, *blocks = net.layer3
        net.SPG_A1, net.SPG_A2 = nn.Sequential(start), nn.Sequential(*blocks)
        net.SPG_A4 = nn.Conv2d(2048, CLASSES, 1)
        del net.layer3, net.fc
    else:
        net, (c1, c2, mid, last) = inception(), (288, 768, 512, 1024)
        changes = {'model.backbone.score_map_size': 28}
    net.SPG_B_1a, net.SPG_B_2a = branch(c1, mid), branch(c2, mid)
    net.SPG_B_shared = branch(mid, mid, nn.Conv2d(mid, 1, 1))
    net.SPG_C = branch(last, 512, nn.Conv2d(512, 1, 1))
    model = build_ours(config('spg', backbone, **changes), net)
    image, labels = torch.randn(2, 3, 96, 96), [5, 17]
    if backbone == 'resnet50':
        x = net.maxpool(net.relu(net.bn1(net.conv1(image))))
        b1_in = net.SPG_A1(net.layer2(net.layer1(x)))
        b2_in = net.SPG_A2(b1_in)
        c_in, first = net.layer4(b2_in), net.conv1
    else:
        b1_in, b2_in, c_in = inception_maps(net, image)
        c_in, first = net.SPG_A3_2b(net.SPG_A3_1b(c_in)), net.Conv2d_1a_3x3.conv
    published = spg_loss(net, b1_in, b2_in, c_in, labels)
    published.backward()
    samples = [DataSample().set_gt_label(label) for label in labels]
    loss = sum(model(image, samples, mode='loss').values())
    loss.backward()
    torch.testing.assert_close(loss, published, rtol=1e-5, atol=0)
    stem = model.backbone.conv1 if backbone == 'resnet50' else model.backbone.Conv2d_1a_3x3.conv
    scale = first.weight.grad.abs().max()
    assert scale > 0 and (stem.weight.grad - first.weight.grad).abs().max() < 1e-3 * scale


def unique(shapes):
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def layer(name, *shape):
    return {f'{name}.weight': shape, f'{name}.bias': shape[:1]}


def check(found, source, table):
    """Each layer of the table arrived, weight and bias."""
    for old, new in table.items():
        for kind in ('weight', 'bias'):
            assert torch.equal(found.weights[f'{new}.{kind}'], source[f'{old}.{kind}']), old


ACOL = {f'classifier_{b.upper()}.{n}': f'head.branch_{b}.{n}' for b in 'ab' for n in (0, 2, 4)}
GUIDANCE = {
    'SPG_B_1a.0': 'head.branch_b1.0',
    'SPG_B_2a.0': 'head.branch_b2.0',
    'SPG_B_shared.0': 'head.shared_b.0.0',
    'SPG_B_shared.2': 'head.shared_b.1',
    'SPG_C.0': 'head.branch_c.0.0',
    'SPG_C.2': 'head.branch_c.1',
}


def guidance_shapes(b1, b2, b_out, c_in):
    shapes = layer('SPG_B_1a.0', b_out, b1, 3, 3) | layer('SPG_B_2a.0', b_out, b2, 3, 3)
    shapes |= layer('SPG_B_shared.0', b_out, b_out, 3, 3) | layer('SPG_B_shared.2', 1, b_out, 1, 1)
    return shapes | layer('SPG_C.0', 512, c_in, 3, 3) | layer('SPG_C.2', 1, 512, 1, 1)


@pytest.mark.parametrize('backbone, channels', [('vgg16', 512), ('resnet50', 2048)])
def test_acol(backbone, channels):
    with torch.device('meta'):
        body = resnet('acol') if backbone == 'resnet50' else vgg_features(VGG['acol14'])
    prefix = 'features.' if backbone == 'vgg16' else ''
    shapes = {f'{prefix}{k}': v.shape for k, v in body.state_dict().items() if 'fc.' not in k}
    for branch in 'AB':
        shapes |= layer(f'classifier_{branch}.0', 1024, channels, 3, 3)
        shapes |= layer(f'classifier_{branch}.2', 1024, 1024, 3, 3)
        shapes |= layer(f'classifier_{branch}.4', CLASSES, 1024, 1, 1)
    source = unique(shapes)
    found = convert(source, model_shapes(config('acol', backbone)), WSOL_BENCHMARK)
    assert not found.unused and not found.unfilled
    check(found, source, ACOL)


def test_spg_vgg16():
    with torch.device('meta'):
        features = vgg_features(VGG['spg14']).state_dict()
    shapes = {f'features.{key}': value.shape for key, value in features.items()}
    shapes |= layer('SPG_A_1.0', 512, 256, 3, 3) | layer('SPG_A_4', CLASSES, 512, 1, 1)
    for name in ('1.2', '1.4', '2.0', '2.2', '2.4', '3.0', '3.2'):
        shapes |= layer(f'SPG_A_{name}', 512, 512, 3, 3)
    source = unique(shapes | guidance_shapes(512, 512, 512, 512))
    found = convert(source, model_shapes(config('spg', 'vgg16')), WSOL_BENCHMARK)
    assert not found.unused and not found.unfilled
    table = {f'features.{n}': f'backbone.features.{n}' for n in (0, 2, 5, 7, 10, 12, 14)}
    places = zip(('1.0', '1.2', '1.4', '2.0', '2.2', '2.4'), (17, 19, 21, 24, 26, 28), strict=True)
    table |= {f'SPG_A_{name}': f'backbone.features.{n}' for name, n in places}
    table |= {'SPG_A_3.0': 'neck.layers.1.conv', 'SPG_A_3.2': 'neck.layers.3.conv'}
    check(found, source, table | {'SPG_A_4': 'head.classifier.0'} | GUIDANCE)


def test_spg_resnet50():
    with torch.device('meta'):
        body = resnet('spg').state_dict()
    shapes = {}
    for key, value in body.items():
        for block in range(6):
            new = 'SPG_A1.0.' if block == 0 else f'SPG_A2.{block - 1}.'
            key = key.replace(f'layer3.{block}.', new)
        shapes[key] = value.shape
    del shapes['fc.weight'], shapes['fc.bias']
    shapes |= layer('SPG_A4', CLASSES, 2048, 1, 1) | guidance_shapes(1024, 1024, 1024, 2048)
    source = unique(shapes)
    found = convert(source, model_shapes(config('spg', 'resnet50')), WSOL_BENCHMARK)
    assert not found.unused and not found.unfilled
    check(found, source, {'SPG_A4': 'head.classifier.0'} | GUIDANCE)
    for block in range(6):
        old = 'SPG_A1.0' if block == 0 else f'SPG_A2.{block - 1}'
        weight = found.weights[f'backbone.layer3.{block}.conv2.weight']
        assert torch.equal(weight, source[f'{old}.conv2.weight'])


def test_spg_inception_v3_and_missing_weights():
    with torch.device('meta'):
        shapes = {key: value.shape for key, value in inception().state_dict().items()}
    source = unique(shapes | guidance_shapes(288, 768, 512, 1024))
    ours = model_shapes(config('spg', 'inceptionv3'))
    found = convert(source, ours, WSOL_BENCHMARK)
    assert not found.unused and not found.unfilled
    table = {'SPG_A3_1b.0': 'neck.layers.1.conv', 'SPG_A3_2b.0': 'neck.layers.3.conv'}
    check(found, source, table | {'SPG_A4': 'head.classifier.0'} | GUIDANCE)
    del source['Mixed_6a.branch3x3.bn.running_var'], source['SPG_C.0.bias']
    found = convert(source, ours, WSOL_BENCHMARK)
    assert found.missing == ['backbone.Mixed_6a.branch3x3.bn.running_var']  # SPG_C is for training
    assert 'head.branch_c.0.0.bias' in found.unfilled
    with pytest.raises(ValueError, match=r'SPG_A4.weight: \(200, 1024, 1, 1\) does not fit'):
        cfg = config('spg', 'inceptionv3', **{'model.head.num_classes': 100})
        convert(source, model_shapes(cfg), WSOL_BENCHMARK)
