"""Every localizer's config builds and trains one step; its data and its evaluation fit it."""

from pathlib import Path

import pytest
import torch
import torchvision
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from wsl_plugins.registry import TRANSFORMS

from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

ROOT = Path(__file__).parents[1] / 'configs' / 'wsol'
CONFIGS = sorted(str(p.relative_to(ROOT)) for p in ROOT.glob('*/*.py'))
GRID = ('acol', 'adl', 'cam', 'cutmix', 'has', 'spg')
METHODS = (*GRID, 'trilite')
LOSSES = {
    'acol': {'loss_a', 'loss_b'},
    'spg': {'loss_cls', 'loss_b1', 'loss_b2', 'loss_c'},
    'trilite': {'loss_cls', 'loss_fg', 'loss_bg'},
}


@pytest.fixture(params=CONFIGS)
def cfg(request, without_weights):
    cfg = Config.fromfile(ROOT / request.param)
    init_default_scope(cfg.default_scope)
    init_cfg = (cfg.model.get('head') or {}).get('init_cfg') or {}
    cfg.keeps_classifier = init_cfg.get('type') == 'Pretrained'
    without_weights(cfg.model)
    cfg.method = Path(request.param).parent.name
    yield cfg
    init_default_scope('mmengine')


# backbones of mmpretrain and timm, which are of no published code
STRIDES = {
    'mmpretrain.SwinTransformer': 32,
    'mmpretrain.ConvNeXt': 32,
    'mmpretrain.VisionTransformer': 16,
    'wsl_plugins.LocalizerViT': 14,
    'tf_efficientnet_lite0': 16,
    'resnet50': 16,
    'vit_small_patch16_224': 16,
    'vit_small_patch14_dinov2': 14,
}


def test_the_grid_is_complete():
    """Six methods and the few-shot baseline, three backbones, three data sets."""
    names = {Path(c).stem for c in CONFIGS}
    for dataset in ('cub', 'imagenet', 'openimages'):
        assert f'center_{dataset}' in names
        for backbone in ('vgg16', 'inceptionv3', 'resnet50'):
            for method in (*GRID, 'fsl'):
                assert f'{method}_{backbone}_{dataset}' in names


def make_batch(classes, side=64):
    images = [torch.randint(256, (3, side, side), dtype=torch.uint8) for _ in range(2)]
    samples = [DataSample(gt_seg_map=torch.ones(64, 64, dtype=torch.uint8)) for _ in range(2)]
    for label, sample in zip((0, classes - 1), samples, strict=True):
        sample.set_gt_label(label)
    return dict(inputs=images, data_samples=samples)


def check_rates(model, optimizer, cfg):
    """What learns ten times faster is what the published code names."""
    rates = {id(p): group['lr'] for group in optimizer.param_groups for p in group['params']}
    for name, parameter in model.named_parameters():
        stem = name.startswith('backbone.')
        if cfg.model.backbone.type == 'wsl_plugins.LocalizerResNet':
            fast = name.startswith(('backbone.layer4.', 'head.fc.'))
        elif cfg.method == 'spg' and cfg.model.backbone.type == 'wsl_plugins.LocalizerVGG':
            fast = not stem or int(name.split('.')[2]) >= 17  # conv4, conv5
        else:
            fast = not stem
        assert rates[id(parameter)] == pytest.approx(0.1 if fast else 0.01), name


def test_one_training_step(cfg):
    cfg.model.data_preprocessor = cfg.data_preprocessor
    model = MODELS.build(cfg.model)
    backbone = cfg.model.get('backbone') or {}
    kind = backbone.get('model_name', backbone.get('type'))
    stride = backbone.get('output_stride', STRIDES.get(kind))
    side = 224 if stride else 64
    batch = make_batch(cfg.data_preprocessor.num_classes, side)
    if cfg.method == 'center':
        assert 'optim_wrapper' not in cfg
    else:
        model.train()
        model.init_weights()
        assert not [
            n
            for n, m in model.head.named_modules()
            if getattr(m, 'init_cfg', None) and not m.is_init
        ]
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
        if cfg.method in GRID and cfg.model.backbone.get('depth') != 18 and not stride:
            check_rates(model, optimizer, cfg)
        logged = model.train_step(batch, optimizer)
        assert set(logged) == {'loss'} | LOSSES.get(cfg.method, set())
        assert all(value.isfinite() for value in logged.values())
        still = {n for n, p in model.named_parameters() if p.equal(before[n])}
        frozen = {n for n, p in model.named_parameters() if not p.requires_grad}
        assert bool(frozen) == (cfg.model.backbone.get('frozen_stages', -1) >= 0)
        assert still >= frozen
        still -= frozen
        # layer scale: ConvNeXt's first step is beyond float32
        assert stride or not {n for n in still if n.endswith('weight')}, 'not trained'
    model.eval()
    with torch.no_grad():
        samples = model.test_step(make_batch(cfg.data_preprocessor.num_classes, side))
    if cfg.method == 'center':
        size = side
    else:
        size = side // (stride or 224 // cfg.model.backbone.score_map_size)
    for sample in samples:
        assert sample.score_map.shape == (size, size)
        if cfg.method in METHODS:
            assert sample.pred_score.shape == (cfg.data_preprocessor.num_classes,)


def assert_pillow(pipeline):
    """What resizes, resizes as the published code: over all pixels that a new one covers."""
    backends = [getattr(TRANSFORMS.build(step), 'backend', None) for step in pipeline]
    assert set(backends) == {None, 'pillow'}


def test_data_and_evaluation(cfg):
    # only of the same classes, and not where other layers take its place (ACoL, SPG), as published
    same = cfg.filename.endswith(('resnet50_imagenet.py', 'lite0_imagenet.py'))
    assert cfg.keeps_classifier == (same and cfg.method in ('cam', 'has', 'adl', 'cutmix'))
    for loop in ('train', 'val', 'test'):  # mmengine's runner wants all of a loop or nothing
        last = 'optim_wrapper' if loop == 'train' else f'{loop}_evaluator'
        parts = [cfg.get(key) for key in (f'{loop}_dataloader', f'{loop}_cfg', last)]
        assert len({part is None for part in parts}) == 1, loop
    test = cfg.test_dataloader.dataset
    assert test.split == 'test'
    assert_pillow(test.pipeline)
    if cfg.method == 'center':
        assert cfg.train_dataloader is None and cfg.val_dataloader is None
    else:
        train = cfg.train_dataloader.dataset
        assert train.split == ('train-fullsup' if cfg.method == 'fsl' else 'train-weaksup')
        assert_pillow(train.pipeline)
        kinds = [t.type for t in train.pipeline]
        assert ('wsl_plugins.HideAndSeek' in kinds) == (cfg.method == 'has')
        assert ('wsl_plugins.LoadLocalizationMask' in kinds) == (cfg.method == 'fsl')
    metrics = {metric.type for metric in cfg.test_evaluator}
    boxes = 'openimages' not in cfg.filename
    assert ('wsl_plugins.MaxBoxAcc' in metrics) == boxes
    assert ('wsl_plugins.PxAP' in metrics) == (not boxes)
    if 'imagenette' in cfg.filename:  # has no train-fullsup
        assert cfg.val_dataloader is None and cfg.default_hooks.checkpoint.save_best is None
    elif cfg.method in METHODS:
        assert cfg.val_dataloader.dataset.split == 'train-fullsup'
        best = cfg.default_hooks.checkpoint.save_best
        assert best == ('wsol/MaxBoxAccV2' if boxes else 'wsol/PxAP')
        assert 'mmpretrain.Accuracy' in metrics


@pytest.mark.parametrize('method', ['cam', 'has', 'adl', 'cutmix'])
def test_resnet50_of_imagenet_keeps_its_classifier(method, resnet50_file):
    """Backbone and classifier are those of torchvision's file, as published."""
    cfg = Config.fromfile(ROOT / method / f'{method}_resnet50_imagenet.py')
    for part in (cfg.model.backbone, cfg.model.head):
        assert part.init_cfg == dict(type='Pretrained', checkpoint='torchvision://resnet50')
        part.init_cfg.checkpoint = resnet50_file
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    model.init_weights()
    init_default_scope('mmengine')
    weights = torch.load(resnet50_file, weights_only=True)
    ours = model.backbone.state_dict() | model.head.state_dict()
    assert ours.keys() == weights.keys()
    for name, weight in weights.items():
        assert ours[name].equal(weight), name


@pytest.fixture(scope='module')
def resnet50_file(tmp_path_factory):
    path = tmp_path_factory.mktemp('weights') / 'resnet50.pth'
    torch.save(torchvision.models.resnet50().state_dict(), path)
    return str(path)
