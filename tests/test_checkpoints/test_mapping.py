"""Names brought under those of a model: by hand, and for the published detectors."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import torchvision
from mmengine.config import Config

from wsl_plugins.checkpoints import Layout, Rule, check_normalization, convert, model_shapes
from wsl_plugins.checkpoints.layouts import CAFFE_VGG, WETECTRON
from wsl_plugins.checkpoints.mapping import for_init, renumber

CAFFE_MEAN = dict(mean=[103.53, 116.28, 123.675], std=[1.0, 1.0, 1.0], bgr_to_rgb=False)


def filled(shapes):
    """Tensors of these shapes that differ from one another."""
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def test_rules_in_order_report_and_errors():
    layout = Layout(
        (
            Rule(r'old\.(\w)\.', r'part.\1.'),
            Rule(r'old\.', 'other.'),
            Rule('t', 'turned', lambda weight: weight.T),
            Rule('head', 'head'),
        ),
        needed='part|turned',
    )
    shapes = {'part.a.w': (2,), 'other.a.w': (2,), 'other.b.w': (3,), 'turned': (3, 2)}
    shapes |= {'part.n.num_batches_tracked': (), 'part.z': (1,), 'extra': (1,), 'head': (4,)}
    shapes = {name: torch.Size(shape) for name, shape in shapes.items()}
    source = filled({'old.a.w': (2,), 'old.b.w': (3,), 't': (2, 3), 'x': (1,), 'head': (5,)})
    found = convert(source, shapes, layout)
    assert list(found.weights) == ['part.a.w', 'other.b.w', 'turned']  # the first rule that fits
    assert torch.equal(found.weights['turned'], source['t'].T)
    assert found.unused == {'x': 'no place in the model', 'head': '(5,) does not fit head (4,)'}
    assert found.unfilled == ['other.a.w', 'part.n.num_batches_tracked', 'part.z', 'extra', 'head']
    assert found.missing == ['part.z']

    with pytest.raises(ValueError, match=r'old\.a\.w: \(9,\) does not fit part\.a\.w \(2,\)'):
        convert(source | {'old.a.w': torch.zeros(9)}, shapes, layout)
    with pytest.raises(ValueError, match='t and t2 are both turned'):
        convert(
            filled({'t': (2, 3), 't2': (2, 3)}),
            shapes,
            Layout((Rule('t2?', 'turned', lambda weight: weight.T),), 'x'),
        )
    with pytest.raises(ValueError, match='no weight has a place.* starts with x, .* with part.a.w'):
        convert({'x': torch.zeros(1)}, shapes, layout)


def test_renumber():
    assert renumber(['f.3.w', 'f.10.w', 'f.3.b', 'a.f.3.w'], 'f', (0, 2, 5)) == {
        'f.3.w': 'f.0.w', 'f.3.b': 'f.0.b', 'f.10.w': 'f.2.w', 'a.f.3.w': 'a.f.3.w',
    }  # fmt: skip
    with pytest.raises(ValueError, match='f has 2 layers with weights, expected 1'):
        renumber(['f.3.w', 'f.10.w'], 'f', (0,))


def test_for_init_takes_both_prefixes_off():
    source = filled({'backbone.a': (1,), 'roi_head.shared_head.b': (1,), 'roi_head.mil.c': (1,)})
    assert for_init(source) == {
        'a': source['backbone.a'], 'b': source['roi_head.shared_head.b'],
    }  # fmt: skip
    with pytest.raises(ValueError, match='a is in the backbone and in the shared head'):
        for_init(filled({'backbone.a': (1,), 'roi_head.shared_head.a': (1,)}))


def test_normalization_is_compared():
    for name, layout in (('model', CAFFE_VGG), ('model', WETECTRON), (None, CAFFE_VGG)):
        good = dict(data_preprocessor=CAFFE_MEAN)
        cfg = Config(dict(model=good) if name else dict(model={}, **good))
        check_normalization(cfg, layout.normalization)
    check_normalization(Config(dict(model={})), None)
    for change in (dict(mean=[105.0, 116.0, 123.0]), dict(std=[1.0, 1.0, 1.1]), dict(to_rgb=True)):
        cfg = Config(dict(model=dict(data_preprocessor=CAFFE_MEAN | change)))
        with pytest.raises(ValueError, match=r'need mean \[103.939, .* std \[1.0, .*BGR$'):
            check_normalization(cfg, CAFFE_VGG.normalization)
    with pytest.raises(ValueError, match=r'has mean \[0.0, 0.0, 0.0\], std \[1.0, 1.0, 1.0\], BGR'):
        check_normalization(Config(dict(model={})), CAFFE_VGG.normalization)


def test_model_shapes_names_what_is_wrong():
    with pytest.raises(ValueError, match='has no model'):
        model_shapes(Config(dict(a=1)))
    with pytest.raises(ValueError, match='not built: NoSuchModel is not in'):
        model_shapes(Config(dict(model=dict(type='NoSuchModel'), default_scope='mmdet')))


def vgg_convolutions():
    with torch.device('meta'):
        features = torchvision.models.vgg16(init_weights=False).features
    return [(n, layer) for n, layer in enumerate(features) if hasattr(layer, 'weight')]


def config(name, **changes):
    """A config with fc6 and fc7 of eight channels."""
    cfg = Config.fromfile(f'configs/{name}')
    cfg.model.roi_head.shared_head.fc_channels = (8, 8)
    cfg.model.roi_head.in_channels = 8
    cfg.model.merge_from_dict(changes) if changes else None
    return cfg


FC67 = {'0.weight': (8, 25088), '0.bias': (8,), '3.weight': (8, 8), '3.bias': (8,)}
SHARED = 'roi_head.shared_head.classifier.'


@pytest.mark.parametrize('names', ['2017', 'torchvision', 'detectron'])
def test_vgg16_of_caffe(names):
    """The three sets of names of layouts/caffe_vgg.py."""
    shapes = model_shapes(config('wsddn/wsddn_vgg16-caffe_voc07.py'))
    convolutions = {}
    caffe = [
        f'conv{stage}_{k}' for stage, n in enumerate((2, 2, 3, 3, 3), 1) for k in range(1, n + 1)
    ]
    for (number, layer), name in zip(vgg_convolutions(), caffe, strict=True):
        for kind in ('weight', 'bias'):
            key = f'{name}_{kind[0]}' if names == 'detectron' else f'features.{number}.{kind}'
            convolutions[key] = getattr(layer, kind).shape, f'backbone.features.{number}.{kind}'
    new = {
        '2017': ('classifier.1.', 'classifier.4.', 'classifier.6.'),
        'torchvision': ('classifier.0.', 'classifier.3.', 'classifier.6.'),
        'detectron': ('fc6_', 'fc7_', 'fc8_'),
    }[names]
    table = dict(convolutions)
    for name, shape in FC67.items():
        kind = name[2] if names == 'detectron' else name[2:]
        table[new[name[0] == '3'] + kind] = shape, SHARED + name
    source = filled({key: shape for key, (shape, _) in table.items()})
    last = new[2] + ('w' if names == 'detectron' else 'weight')
    found = convert(source | {last: torch.zeros(10, 8)}, shapes, CAFFE_VGG)
    assert len(table) == len(found.weights) == 30
    for key, (_, name) in table.items():
        assert torch.equal(found.weights[name], source[key]), key
    assert list(found.unused) == [last] and not found.missing
    assert len(found.unfilled) == 4
    assert all(name.startswith('roi_head.mil_head.fc_') for name in found.unfilled)


def wetectron_mist(classes=20):
    """Published names and shapes: see layouts/wetectron.py; fc6 and fc7 of eight channels."""
    shapes = {}
    for number, layer in vgg_convolutions():
        shapes[f'backbone.body.features.{number}.weight'] = layer.weight.shape
        shapes[f'backbone.body.features.{number}.bias'] = layer.bias.shape
    extractor = 'roi_heads.feature_extractor.classifier.'
    shapes |= {
        extractor + {'0': '1', '3': '4'}[name[0]] + name[1:]: shape for name, shape in FC67.items()
    }
    rows = {name: classes + 1 for name in ('cls_score', 'det_score', 'ref1', 'ref2', 'ref3')}
    rows |= {f'bbox_pred{k}': 4 * (classes + 1) for k in (1, 2, 3)}
    for name, n in rows.items():
        shapes[f'roi_heads.predictor.{name}.weight'] = (n, 8)
        shapes[f'roi_heads.predictor.{name}.bias'] = (n,)
    return shapes


def test_mist_of_wetectron():
    shapes = model_shapes(config('mist/mist_vgg16_voc07_released.py'))
    source = filled(wetectron_mist())
    found = convert(source, shapes, WETECTRON)
    assert not found.unused and not found.missing
    assert len(found.weights) == len(source) == 46
    assert found.unfilled and all(n.startswith('roi_head.drop_layer.') for n in found.unfilled)
    ours = found.weights
    for number, _ in vgg_convolutions():
        for kind in ('weight', 'bias'):
            key = f'features.{number}.{kind}'
            assert torch.equal(ours[f'backbone.{key}'], source[f'backbone.body.{key}'])
    for old, new in (('1', '0'), ('4', '3')):
        for kind in ('weight', 'bias'):
            key = f'roi_heads.feature_extractor.classifier.{old}.{kind}'
            assert torch.equal(ours[f'{SHARED}{new}.{kind}'], source[key])

    x = torch.randn(5, 8)

    def theirs(name):
        prefix = f'roi_heads.predictor.{name}'
        return F.linear(x, source[f'{prefix}.weight'], source[f'{prefix}.bias'])

    def mine(name):
        return F.linear(x, ours[f'roi_head.{name}.weight'], ours[f'roi_head.{name}.bias'])

    pairs = {'cls_score': 'mil_head.fc_cls', 'det_score': 'mil_head.fc_det'}
    pairs |= {f'ref{k}': f'refine_heads.{k - 1}.fc_cls' for k in (1, 2, 3)}
    for old, new in pairs.items():
        for c in range(20):  # class c of ours is class c + 1 of theirs, the background is their 0
            torch.testing.assert_close(mine(new)[:, c], theirs(old)[:, c + 1])
        torch.testing.assert_close(mine(new)[:, 20], theirs(old)[:, 0])
    for k in (1, 2, 3):
        boxes = mine(f'refine_heads.{k - 1}.fc_reg').reshape(5, 20, 4)
        published = theirs(f'bbox_pred{k}').reshape(5, 21, 4)
        for c in range(20):
            torch.testing.assert_close(boxes[:, c], published[:, c + 1])


def test_wetectron_refuses_another_model():
    source = filled(wetectron_mist())
    plain = model_shapes(config('mist/mist_vgg16_voc07.py'))  # without a background in the MIL head
    with pytest.raises(ValueError, match=r'cls_score.weight: \(21, 8\) does not fit .*\(20, 8\)'):
        convert(source, plain, WETECTRON)
    released = model_shapes(config('mist/mist_vgg16_voc07_released.py'))
    del source['roi_heads.predictor.ref2.bias']
    assert convert(source, released, WETECTRON).missing == ['roi_head.refine_heads.1.fc_cls.bias']


def test_resnet_of_wetectron():
    """C4: res5 on each proposal; frozen batch normalisation has no counter."""
    cfg = Config.fromfile('configs/mist/mist_r50_voc07.py')
    cfg.model.roi_head.mil_head.with_background = True
    shapes = model_shapes(cfg)
    with torch.device('meta'):
        resnet = torchvision.models.resnet50().state_dict()
    table = {}
    for key, weight in resnet.items():
        if key.startswith('fc') or key.endswith('num_batches_tracked'):
            continue
        if key.startswith(('conv1', 'bn1')):
            table[f'backbone.body.stem.{key}'] = weight.shape, f'backbone.{key}'
        elif key.startswith('layer4'):
            name = f'roi_heads.feature_extractor.head.{key}'
            table[name] = weight.shape, f'roi_head.shared_head.{key}'
        else:
            table[f'backbone.body.{key}'] = weight.shape, f'backbone.{key}'
    heads = {k: v for k, v in wetectron_mist().items() if 'predictor' in k}
    heads = {key: (shape[0], 2048)[: len(shape)] for key, shape in heads.items()}
    source = filled({key: shape for key, (shape, _) in table.items()} | heads)
    found = convert(source, shapes, WETECTRON)
    assert not found.unused and not found.missing and len(found.weights) == len(source)
    for key, (_, name) in table.items():
        assert torch.equal(found.weights[name], source[key]), key


def test_the_released_models_have_a_config():
    """Its images are theirs; those of the other configs are refused."""
    layout = WETECTRON
    configs = Path(__file__).parents[2] / 'configs' / 'mist'
    cfg = Config.fromfile(configs / 'mist_vgg16_voc07_wetectron.py')
    check_normalization(cfg, layout.normalization)
    assert cfg.model.backbone.last_relu is False
    with pytest.raises(ValueError, match='mean'):
        check_normalization(
            Config.fromfile(configs / 'mist_vgg16_voc07_released.py'), layout.normalization
        )
