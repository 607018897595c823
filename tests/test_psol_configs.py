"""Every PSOL config builds and trains one step; its data and its evaluation fit it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from wsl_plugins.registry import METRICS, TRANSFORMS

from mmpretrain.registry import MODELS

ROOT = Path(__file__).parents[1] / 'configs' / 'psol'
CONFIGS = sorted(p.name for p in ROOT.glob('*.py'))
TRAINED = [name for name in CONFIGS if name.startswith('psol') and '2cub' not in name]
CLASSIFIERS = [name for name in CONFIGS if name.startswith('classifier')]
BACKBONES = ('resnet50', 'vgg16', 'vgg-gap', 'inceptionv3', 'densenet161')
CLASSES = {'cub': 200, 'imagenet': 1000, 'cub27': 27, 'demo': 5, 'wend-demo': 5, 'imagenette': 10}


@pytest.fixture
def load(without_weights):
    def load(name):
        cfg = Config.fromfile(ROOT / name)
        init_default_scope(cfg.default_scope)
        without_weights(cfg.model)
        if 'vgg16' in name:  # of 120 million parameters
            cfg.model.backbone.fc_channels = 8
            cfg.model.head.in_channels = 8
        cfg.model.data_preprocessor = cfg.data_preprocessor
        return cfg

    yield load
    init_default_scope('mmengine')


def pack(pipeline, label, size=(70, 50)):
    """A sample through all of a pipeline but the loading."""
    width, height = size
    image = np.random.default_rng(label).integers(0, 256, (height, width, 3), dtype=np.uint8)
    boxes = np.array([[5.0, 5.0, 45.0, 30.0]])
    results = dict(img=image, ori_shape=(height, width), image_id='a.jpg', gt_label=label)
    results |= dict(gt_bboxes=boxes, gt_boxes=boxes, image_size=size)
    for transform in map(TRANSFORMS.build, pipeline[1:]):
        assert getattr(transform, 'backend', 'pillow') == 'pillow'  # as the published code resizes
        results = transform(results)
    return results


def batch_of(pipeline, classes):
    samples = [pack(pipeline, label) for label in (0, classes - 1)]
    return {key: [sample[key] for sample in samples] for key in samples[0]}


def shrink(pipeline, name):
    """Smaller crops, but for InceptionV3, whose auxiliary branch needs its 299 pixels."""
    if 'inception' not in name:
        for transform in pipeline:
            if 'CropWithBox' in transform.type:
                transform.scale = 64
            elif transform.type == 'mmpretrain.Resize':
                transform.scale = (72, 72)
            elif transform.type == 'wsl_plugins.FixedCrop':
                transform.crop_size = 64
    return pipeline


def test_the_grid_is_complete():
    names = {Path(name).stem for name in CONFIGS}
    for backbone in BACKBONES:
        for kind in ('sep', 'joint'):
            for dataset in ('cub', 'imagenet'):
                assert f'psol_{backbone}-{kind}_{dataset}' in names


@pytest.mark.parametrize('name', [n for n in TRAINED if not n.endswith('_imagenet.py')])
def test_one_training_step(load, name):
    """Those of ImageNet are those of CUB with other data: see test_imagenet_is_cub."""
    cfg = load(name)
    torch.manual_seed(0)
    classes, joint = cfg.data_preprocessor.num_classes, 'joint' in name
    data = Path(name).stem.split('_')[-1]
    assert classes == CLASSES[data]
    flat = cfg.model.get('neck') and cfg.model.neck.type == 'mmpretrain.LinearNeck'
    if flat:
        channels = 320 if 'lite0' in name else 512
        assert cfg.model.neck.in_channels == channels * 7 * 7
        cfg.model.neck.in_channels = channels * 2 * 2  # the cells of 64 pixels
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.train()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    if 'demo' not in name:  # a group per parameter; the head learns twice as fast
        rates = {id(p): g['lr'] for g in optimizer.param_groups for p in g['params']}
        rate = 1e-4 if flat else 0.001 if data == 'cub' else 0.003
        for parameter, p in model.named_parameters():
            if p.requires_grad:
                assert rates[id(p)] == (2 * rate if parameter.startswith('head') else rate)
    logged = model.train_step(
        batch_of(shrink(cfg.train_dataloader.dataset.pipeline, name), classes), optimizer
    )
    losses = {'loss_box'} | ({'loss_cls'} if joint else set())
    if 'inception' in name:
        losses |= {f'aux.{loss}' for loss in losses}
    assert set(logged) == {'loss'} | losses
    assert all(value.isfinite() for value in logged.values())
    weights = {n: p for n, p in model.named_parameters() if n.endswith('weight')}
    frozen = {n for n in weights if 'lite0' in name and n.startswith('backbone')}
    assert {n for n, p in weights.items() if p.equal(before[n])} == frozen
    model.eval()
    with torch.no_grad():
        samples = model.test_step(
            batch_of(shrink(cfg.test_dataloader.dataset.pipeline, name), classes)
        )
    for sample in samples:
        x1, y1, x2, y2 = sample.pred_box.tolist()
        assert 0 <= x1 <= x2 <= 70 and 0 <= y1 <= y2 <= 50
        assert ('pred_score' in sample) == joint
        assert not joint or sample.pred_score.shape == (classes,)


@pytest.mark.parametrize('backbone', BACKBONES)
@pytest.mark.parametrize('kind', ['sep', 'joint'])
def test_imagenet_is_cub(load, backbone, kind):
    """Other data, schedule and classes; everything else is the same."""
    cub, imagenet = (load(f'psol_{backbone}-{kind}_{d}.py') for d in ('cub', 'imagenet'))
    assert imagenet.optim_wrapper == cub.optim_wrapper
    assert (cub.train_cfg.max_epochs, imagenet.train_cfg.max_epochs) == (30, 6)
    assert (cub.train_dataloader.batch_size, imagenet.train_dataloader.batch_size) == (64, 256)
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        assert imagenet[loader].dataset.pipeline == cub[loader].dataset.pipeline
    if kind == 'joint':
        assert cub.param_scheduler.milestones == [10, 20]
        assert imagenet.param_scheduler.milestones == [2, 4]
        heads = imagenet.model.head
        heads = [heads.head, heads.aux_head] if backbone == 'inceptionv3' else [heads]
        for head in heads:
            assert head.type == 'wsl_plugins.JointBoxHead' and head.num_classes == 1000
            head.num_classes = 200
    else:
        assert cub.get('param_scheduler') is None and imagenet.get('param_scheduler') is None
    imagenet.model.data_preprocessor = cub.model.data_preprocessor
    assert imagenet.model == cub.model


@pytest.mark.parametrize('name', TRAINED)
def test_data_and_evaluation(load, name):
    cfg = load(name)
    train, test = cfg.train_dataloader.dataset, cfg.test_dataloader.dataset
    assert train.type == 'wsl_plugins.PseudoBoxDataset'
    assert (test.type, test.split) == ('wsl_plugins.WSOLDataset', 'test')
    assert (train.data_prefix, train.metadata_root) == (test.data_prefix, test.metadata_root)
    if 'imagenette' in name:  # has no images to choose by
        assert train.split == 'train' and cfg.default_hooks.checkpoint.save_best is None
        assert cfg.val_dataloader is cfg.val_cfg is cfg.val_evaluator is None
    else:
        assert train.split == 'train-weaksup'
        assert cfg.val_dataloader.dataset.split == 'train-fullsup'
        assert cfg.default_hooks.checkpoint.save_best == 'wsol/gt_known_loc'
    assert train.box_file.split('_ddt')[0].split('/')[-1] in (
        *Path(train.metadata_root).parts,
        'pseudo_boxes.json',
    )
    sizes = {'demo': 96} if 'demo' in name else {'inception': 299}
    size = next((s for key, s in sizes.items() if key in name), 224)
    for pipeline in (train.pipeline, test.pipeline):
        assert pack(pipeline, 0, (400, 300))['inputs'].shape == (3, size, size)
    if name.endswith(('_cub.py', '_imagenet.py')):  # the published share of the area
        assert train.pipeline[1].crop_ratio_range == (0.2, 1.0)
    assert ('mmpretrain.Accuracy' in [m.type for m in cfg.test_evaluator]) == ('joint' in name)
    topk = METRICS.build(cfg.test_evaluator[0]).topk
    assert topk == ((1, 5) if 'joint' in name else None)


@pytest.mark.parametrize('backbone', ['resnet50', 'vgg-gap', 'densenet161'])
def test_transfer_only_changes_the_test_data(load, backbone):
    cfg = load(f'psol_{backbone}-sep_imagenet2cub.py')
    cub, imagenet = (load(f'psol_{backbone}-sep_{d}.py') for d in ('cub', 'imagenet'))
    assert cfg.test_dataloader == cub.test_dataloader
    assert cfg.model == imagenet.model and cfg.test_evaluator == cub.test_evaluator
    assert cfg.train_dataloader is cfg.train_cfg is cfg.optim_wrapper is None


@pytest.mark.parametrize(
    'crop, box',
    [  # of 400 x 300 pixels: 0.1 to 0.4 of 400, 0.2 to 0.6 of 300
        (False, [40, 60, 160, 180]),
        # 16 pixels from the border of 256, then in the crop of 224
        (True, [60, 71.25, 165, 176.25]),
    ],
)
def test_with_and_without_crop(load, crop, box):
    """A box returns from the centre of an image, and from all of it, as the pipeline says."""
    cfg = load('psol_resnet18-sep_cub27.py')
    pipeline = cfg.test_dataloader.dataset.pipeline
    assert [t.type.split('.')[1] for t in pipeline[1:3]] == ['Resize', 'FixedCrop']
    if not crop:
        pipeline[1:3] = [dict(type='mmpretrain.Resize', scale=(224, 224), backend='pillow')]
    model = MODELS.build(cfg.model).eval()
    last = model.head.regressor[2]
    torch.nn.init.zeros_(last.weight)
    last.bias.data = torch.tensor([0.1, 0.2, 0.3, 0.4]).logit()
    sample = pack(pipeline, 0, (400, 300))
    assert sample['inputs'].shape == (3, 224, 224)
    with torch.no_grad():
        (found,) = model.test_step({key: [value] for key, value in sample.items()})
    torch.testing.assert_close(found.pred_box, torch.tensor(box, dtype=torch.float32))


def test_ten_crop_averages_the_scores_of_ten_views(load):
    """Against ten crops cut by hand."""
    cfg = load('classifier_resnet50_imagenet.py')
    cfg.model.backbone.update(depth=18, base_channels=8)
    cfg.model.head.in_channels = 64
    cfg.model.pop('data_preprocessor')
    torch.manual_seed(0)
    model = MODELS.build(dict(cfg.tta_model, module=cfg.model))
    model.init_weights()
    model.eval()
    pipeline = cfg.tta_pipeline[:2]
    views = pack([*pipeline, cfg.tta_pipeline[2]], 3, (300, 200))
    assert len(views['inputs']) == 10
    with torch.no_grad():
        (sample,) = model.test_step({key: [[v] for v in value] for key, value in views.items()})
        plain = pack([*pipeline, dict(type='wsl_plugins.PackWSOLInputs')], 3, (300, 200))['inputs']
        corners = [(0, 0), (0, 32), (32, 0), (32, 32), (16, 16)]
        crops = [plain[:, y : y + 224, x : x + 224] for y, x in corners]
        crops += [crop.flip(2) for crop in crops]
        one = model.module.test_step(dict(inputs=crops))
    expected = torch.stack([s.pred_score for s in one])
    assert expected.std(dim=0).max() > 1e-5
    torch.testing.assert_close(sample.pred_score, expected.mean(dim=0))
    assert sample.image_id == 'a.jpg'


@pytest.mark.parametrize('name', CLASSIFIERS)
def test_classifiers(load, name):
    cfg = load(name)
    size = 600 if 'b7' in name else 224
    sample = pack(cfg.test_dataloader.dataset.pipeline, 1, (400, 300))
    assert sample['inputs'].shape == (3, size, size)
    assert cfg.test_dataloader.dataset.type == 'wsl_plugins.WSOLDataset'
    assert cfg.test_dataloader.dataset.split == 'test'
    data = Path(name).stem.split('_')[-1]
    assert [metric.type for metric in cfg.test_evaluator] == ['mmpretrain.Accuracy']
    assert cfg.model.head.num_classes == cfg.data_preprocessor.num_classes == CLASSES[data]
    assert ('tta_pipeline' in cfg) == ('b7' not in name)


@pytest.mark.parametrize('name', [n for n in CLASSIFIERS if 'cub' in n])
def test_classifiers_that_train(load, name):
    """On labels alone, validated on train-fullsup without writing predictions."""
    cfg = load(name)
    torch.manual_seed(0)
    train = cfg.train_dataloader.dataset
    assert (train.type, train.split) == ('wsl_plugins.WSOLDataset', 'train-weaksup')
    assert cfg.val_dataloader.dataset.split == 'train-fullsup'
    roots = {cfg[f'{n}_dataloader'].dataset.metadata_root for n in ('train', 'val', 'test')}
    assert roots == {f'wsol_metadata/{Path(name).stem.split("_")[-1].upper()}'}
    assert cfg.val_evaluator == cfg.test_evaluator
    assert cfg.default_hooks.checkpoint.save_best == 'accuracy/top1'
    model = MODELS.build(cfg.model).train()
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    rates = {id(p): group['lr'] for group in optimizer.param_groups for p in group['params']}
    for parameter, p in model.named_parameters():
        assert rates[id(p)] == (0.01 if parameter.startswith('head') else 0.001)
    batch = batch_of(train.pipeline, cfg.data_preprocessor.num_classes)
    assert batch['inputs'][0].shape == (3, 224, 224)
    before = model.head.fc.weight.detach().clone()
    logged = model.train_step(batch, optimizer)
    assert set(logged) == {'loss'} and logged['loss'].isfinite()
    assert not model.head.fc.weight.equal(before)
