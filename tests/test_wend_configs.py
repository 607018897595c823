"""Every WEND config builds and trains one step; sizes are the published ones; WE only adds."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

import wsl_plugins  # noqa: F401  (before mmdet: it stands in for missing compiled ops)

from mmdet.registry import MODELS  # isort: skip
from mmdet.structures import DetDataSample  # isort: skip

CONFIGS = Path(__file__).parents[1] / 'configs'
NAMES = sorted(p.stem for p in (CONFIGS / 'wend').glob('*.py'))
MODEL_NAMES = sorted(
    p.stem for kind in ('wend', 'bcd') for p in (CONFIGS / '_base_/models').glob(f'{kind}_*.py')
)
DETECTORS = ('fcos', 'faster-rcnn', 'cln', 'deformable-detr')
CHANNELS = {'r50': [128, 256, 512], 'r18': [32, 64, 128], 'densenet161': [12, 10, 17]}
SIZE = 64


def needs(names):
    """Parameters; DenseNet is mmpretrain's."""
    skip = pytest.mark.skipif(find_spec('mmpretrain') is None, reason='needs mmpretrain')
    return [pytest.param(n, marks=skip if 'densenet' in n else ()) for n in names]


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmdet')
    yield
    init_default_scope('mmengine')


@pytest.fixture
def load(without_weights):
    def load(name):
        folder = 'wend' if name in NAMES else '_base_/models'
        cfg = Config.fromfile(CONFIGS / folder / f'{name}.py')
        without_weights(cfg.model)
        return cfg

    return load


def shrink(model, name):
    """Narrow networks with the structure of the real ones."""
    if 'demo' in name:
        return model
    backbone = next(b for b in CHANNELS if b in name)
    channels = CHANNELS[backbone]
    if backbone == 'densenet161':
        model.backbone.arch = dict(growth_rate=8, depths=[1, 1, 1, 1], init_channels=16)
    else:
        model.backbone.update(base_channels=16, stem_channels=16)
    if model.type == 'FCOS':
        model.bbox_head.update(in_channels=channels[-1], feat_channels=32)
    else:
        model.neck.in_channels = channels
    if model.type == 'DeformableDETR':
        for layers in (model.encoder, model.decoder):
            layers.num_layers = 2
            layers.layer_cfg.ffn_cfg.feedforward_channels = 32
    if model.get('roi_head'):
        model.roi_head.bbox_head.fc_out_channels = 32
    return model


def batch_of(boxes, size=SIZE):
    """Images with the given boxes, as the data loader gives them."""
    generator = torch.Generator().manual_seed(1)
    inputs, samples = [], []
    for image in boxes:
        inputs.append((torch.rand(3, size, size, generator=generator) * 255).byte())
        sample = DetDataSample(
            metainfo=dict(
                img_shape=(size, size),
                ori_shape=(size, size),
                scale_factor=(1.0, 1.0),
                batch_input_shape=(size, size),
            )
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor(image, dtype=torch.float32).reshape(-1, 4),
            labels=torch.zeros(len(image), dtype=torch.long),
        )
        samples.append(sample)
    return dict(inputs=inputs, data_samples=samples)


ONE = [[8.0, 10, 50, 60]]
TWO = [[4.0, 4, 40, 30], [20, 30, 60, 62]]


def losses_of(model, boxes):
    """All that the model logs; dropout and sampling are those of one seed."""
    torch.manual_seed(0)
    data = model.data_preprocessor(batch_of(boxes), True)
    return model.parse_losses(model(**data, mode='loss'))


def build(model):
    torch.manual_seed(0)
    model = MODELS.build(model)
    model.init_weights()
    return model.train()


def options_of(detector):
    """The ``--cfg-options`` which the comment of the base model lists; those of the entropy not."""
    text = (CONFIGS / f'_base_/models/wend_{detector}_r50.py').read_text()
    found = dict(re.findall(r'(model\.\S+)=(\S+)', text.split('_base_ =')[0]))
    (gamma,) = (key for key in found if key.endswith('.entropy.gamma'))
    return {k: float(v) for k, v in found.items() if k != gamma}, gamma


def loss_weights(model):
    """{path: value} of all ``loss_weight`` and ``eta`` of a config."""
    found = {}

    def walk(cfg, path):
        for key, value in cfg.items():
            if isinstance(value, dict):
                walk(value, f'{path}.{key}')
            elif key in ('loss_weight', 'eta'):
                found[f'{path}.{key}'] = value

    walk(model, 'model')
    return found


def test_the_grid_is_complete():
    for detector in DETECTORS:
        for backbone in ('r50', 'densenet161'):
            for data in ('cub', 'imagenet'):
                assert f'wend_{detector}_{backbone}_{data}' in NAMES
        for data in ('cub', 'imagenet'):
            assert f'bcd_{detector}_r50_{data}' in NAMES
        assert f'wend_{detector}_r50_frozen_cub' in NAMES
    assert {f'{kind}_faster-rcnn_densenet161_cub' for kind in ('bcd', 'entropy')} < set(NAMES)


@pytest.mark.parametrize('name', needs(n for n in NAMES if not n.endswith('_imagenet')))
def test_one_training_step(load, name):
    """Those of ImageNet are those of CUB with other values: see test_imagenet_is_cub."""
    cfg = load(name)
    model = build(shrink(cfg.model, name))
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    logged = model.train_step(batch_of([ONE, TWO]), optimizer)
    assert all(value.isfinite() for value in logged.values())
    expected = {
        'FCOS': 'loss_cls loss_bbox loss_centerness',
        'FasterRCNN': 'loss_rpn_cls loss_rpn_bbox loss_cls loss_bbox acc',
        'cln': 'rpn_loss_cls rpn_loss_bbox rpn_loss_centerness loss_cls loss_bbox loss_quality acc',
        'DeformableDETR': 'loss_cls loss_bbox loss_iou d0.loss_cls d0.loss_bbox d0.loss_iou',
    }['cln' if 'cln' in name else cfg.model.type]
    assert set(logged) == {'loss'} | set(expected.split())
    still = {n for n, p in model.named_parameters() if p.equal(before[n])}
    frozen = {n for n, p in model.named_parameters() if not p.requires_grad}
    assert all(p.isfinite().all() for p in model.parameters())
    assert frozen <= still and all(n.startswith('backbone') for n in frozen)
    if 'frozen' in name:
        assert frozen == {n for n in before if n.startswith('backbone')}
    heads = {n for n in before if n.endswith('weight') and 'head' in n}
    assert not {n for n in heads & still if 'fc_reg' not in n and 'reg_branches' not in n}
    model.eval()
    samples = model.test_step(batch_of([ONE, []]))
    for sample in samples:
        found = sample.pred_instances
        assert len(found) > 0 and (found.scores.diff() <= 0).all()
        assert (found.labels == 0).all() and (found.scores >= 0).all()
        assert (found.bboxes >= 0).all() and (found.bboxes <= SIZE).all()


@pytest.mark.parametrize('detector', DETECTORS)
def test_without_entropy_and_eta_the_losses_are_those_of_the_detector(load, detector):
    """Bit by bit, in the way that the comment of the base model tells."""
    plain = load(f'bcd_{detector}_r50_cub').model
    wend = load(f'wend_{detector}_r50_cub')
    options, gamma = options_of(detector)
    assert wend.get(gamma) is None and _at(wend, gamma) == 6.0
    assert all(_at(wend, key) == value * 0.125 for key, value in options.items())
    # every supervised loss is on the list
    factors = {k for k in loss_weights(wend.model) if '.entropy.' not in k and '.loss.' not in k}
    assert factors == set(options)
    wend.merge_from_dict(options | {gamma.replace('gamma', 'loss_weight'): 0.0})
    name = f'{detector}_r50'
    plain, wend = build(shrink(plain, name)), build(shrink(wend.model, name))
    for (n, one), other in zip(plain.named_parameters(), wend.parameters(), strict=True):
        assert one.equal(other), n
    for boxes in ([ONE, TWO], [ONE, []], [[], []]):
        (total, expected), (other, got) = (losses_of(model, boxes) for model in (plain, wend))
        assert set(got) == set(expected)
        for key in expected:
            assert torch.equal(got[key], expected[key]), (boxes, key)
        total.backward()
        other.backward()
    for (n, one), p in zip(plain.named_parameters(), wend.parameters(), strict=True):
        assert (one.grad is None) == (p.grad is None), n
        assert one.grad is None or one.grad.equal(p.grad), n


def _at(cfg, key):
    for part in key.split('.'):
        cfg = cfg[part]
    return cfg


@pytest.mark.parametrize('detector', DETECTORS)
def test_the_entropy_adds_to_every_classifier_it_should(load, detector):
    """The classification losses grow by the entropy; all other losses are the same."""
    cfg = load(f'wend_{detector}_r50_cub')
    _, gamma = options_of(detector)
    cfg.merge_from_dict({gamma: 0.0})
    without = cfg.copy()
    without.merge_from_dict({gamma.replace('gamma', 'loss_weight'): 0.0})
    results = [
        losses_of(build(shrink(c.model, f'{detector}_r50')), [ONE, TWO])[1] for c in (cfg, without)
    ]
    more = {key for key in results[0] if results[0][key] > results[1][key]} - {'loss'}
    same = {key for key in results[0] if results[0][key] == results[1][key]}
    assert more == {'loss_cls'} | ({'d0.loss_cls'} if 'detr' in detector else set())
    assert same == set(results[0]) - more - {'loss'}


@pytest.mark.parametrize('detector', DETECTORS)
def test_all_background(load, detector):
    """A classifier that sees no object anywhere: finite losses, predictions and gradients."""
    model = build(shrink(load(f'wend_{detector}_r50_cub').model, f'{detector}_r50'))
    with torch.no_grad():
        for n, p in model.named_parameters():
            if re.search(r'conv_cls.bias|rpn_cls.bias|cls_branches.*bias', n):
                p.fill_(-1e4)
            elif n.endswith('fc_cls.bias'):
                p.copy_(torch.tensor([-1e4, 1e4, 0][: len(p)]))
    for boxes in ([ONE, []], [[], []]):
        total, logged = losses_of(model, boxes)
        assert all(value.isfinite() for value in logged.values())
        total.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    model.eval()
    for sample in model.test_step(batch_of([ONE, []])):
        assert sample.pred_instances.bboxes.isfinite().all()
        assert (sample.pred_instances.scores < 1e-6).all()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('detector', DETECTORS)
def test_half_precision(load, detector, dtype):
    model = build(shrink(load(f'wend_{detector}_r50_cub').model, f'{detector}_r50'))
    _, exact = losses_of(model, [ONE, TWO])
    with torch.autocast('cpu', dtype=dtype):
        total, logged = losses_of(model, [ONE, TWO])
    total.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    torch.testing.assert_close(logged['loss'].float(), exact['loss'], rtol=0.1, atol=0)
    model.eval()
    with torch.autocast('cpu', dtype=dtype), torch.no_grad():
        samples = model.test_step(batch_of([ONE, TWO]))
    assert all(s.pred_instances.scores.isfinite().all() for s in samples)


@pytest.mark.parametrize('name', needs(n for n in NAMES if n.endswith('_imagenet')))
def test_imagenet_is_cub(load, name):
    """Other data, epochs, eta, gamma, alpha and tau (table 8); everything else is the same."""
    imagenet, cub = load(name), load(name.replace('imagenet', 'cub'))
    assert imagenet.optim_wrapper == cub.optim_wrapper
    assert (cub.train_cfg.max_epochs, imagenet.train_cfg.max_epochs) == (50, 10)
    assert (cub.param_scheduler.T_max, imagenet.param_scheduler.T_max) == (50, 10)
    if name.startswith('wend'):
        detector = name.split('_')[1]
        options, gamma = options_of(detector)
        assert all(_at(imagenet, key) == value * 0.03125 for key, value in options.items())
        tau = 0.9 if 'detr' in detector else 0.3
        values = dict(gamma=6.0, alpha=0.1, tau1=tau, tau2=tau)
        for key, value in values.items():
            assert _at(cub, gamma.replace('gamma', key)) == value
        values = dict(gamma=4.0, alpha=0.25, tau1=0.1, tau2=0.1)
        for key, value in values.items():
            assert _at(imagenet, gamma.replace('gamma', key)) == value
        same = [*options, *(gamma.replace('gamma', key) for key in values)]
        imagenet.merge_from_dict({key: _at(cub, key) for key in same})
    assert imagenet.model == cub.model


@pytest.mark.parametrize('name', [n for n in NAMES if n.endswith(('_cub', '_imagenet'))])
def test_schedule_of_appendix_a(load, name):
    cfg = load(name)
    assert cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == 256
    assert cfg.train_dataloader.dataset.type == 'wsl_plugins.PseudoBoxDetDataset'
    assert cfg.param_scheduler.type == 'CosineAnnealingLR'
    cfg.model.init_cfg = None
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).param_groups
    rates = {id(p): g['lr'] for g in groups for p in g['params']}
    detr = 'detr' in name
    for n, p in model.named_parameters():
        if not p.requires_grad:
            continue
        slow = n.startswith('backbone')
        slow |= detr and ('sampling_offsets' in n or 'reference_points' in n)
        assert rates[id(p)] == pytest.approx(
            (2e-5 if slow else 2e-4) if detr else 0.004 * (2 - slow)
        )
    assert not detr or sum('reference_points' in n for n, _ in model.named_parameters()) == 2
    settings = cfg.optim_wrapper.optimizer
    assert settings.weight_decay == 1e-4
    assert settings.type == ('Adam' if detr else 'SGD')
    assert (settings.betas == (0.9, 0.999)) if detr else (settings.momentum == 0.9)


@pytest.mark.parametrize('name', needs(MODEL_NAMES))
def test_channels_and_strides_fit(load, name):
    """Full width, without memory, on 224 pixels."""
    model = load(name).model
    with torch.device('meta'):
        model = MODELS.build(model)
        features = model.extract_feat(torch.empty(1, 3, 224, 224))
        heads = [getattr(model, h) for h in ('bbox_head', 'rpn_head') if hasattr(model, h)]
        strides = [224 // f.shape[-1] for f in features]
        if 'detr' in name:
            assert strides == [8, 16, 32, 56] and {f.shape[1] for f in features} == {256}
            return
        outputs = heads[0](features)
        assert heads[0].prior_generator.strides == [(s, s) for s in strides]
        for maps in outputs:
            assert [224 // m.shape[-1] for m in maps] == strides
        if hasattr(model, 'roi_head'):
            extractor = model.roi_head.bbox_roi_extractor
            assert extractor.featmap_strides == strides
            size = extractor.roi_layers[0].output_size
            scores, boxes = model.roi_head.bbox_head(torch.empty(2, extractor.out_channels, *size))
            assert scores.shape == (2, 3 if 'cln' in name else 2) and boxes.shape == (2, 4)


def parameters(model, trainable=False):
    with torch.device('meta'):
        model = MODELS.build(model)
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable) / 1e6


@pytest.mark.parametrize(('classes', 'millions'), [(1, 99.12), (200, 102.79), (1000, 117.54)])
def test_fcos_has_the_parameters_of_table_1(load, classes, millions):
    model = load('wend_fcos_r50_cub').model
    model.bbox_head.num_classes = classes
    assert parameters(model) == pytest.approx(millions, abs=0.006)


def test_frozen_deformable_detr_has_the_parameters_of_section_4_2_4(load):
    model = load('wend_deformable-detr_r50_frozen_cub').model
    assert parameters(model, trainable=True) == pytest.approx(16.45, abs=0.006)
