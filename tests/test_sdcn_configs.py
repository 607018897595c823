"""Every SDCN config builds and trains one step; its stages fit each other."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from wsl_plugins.registry import DATASETS

from mmdet.registry import MODELS
from mmpretrain.datasets.categories import VOC2007_CATEGORIES
from mmpretrain.registry import MODELS as CLASSIFIERS
from mmpretrain.registry import TRANSFORMS
from mmpretrain.structures import DataSample

ROOT = Path(__file__).parents[1] / 'configs'
SDCN = ROOT / 'sdcn'
STAGE1 = sorted(p.stem for p in SDCN.glob('*stage1*.py'))
NOT_TRAINED = ('_detector', '_corloc')
PLAIN = sorted(p.stem for p in SDCN.glob('*.py') if p.stem.endswith(NOT_TRAINED))
FRCNN = sorted(p.stem for p in SDCN.glob('*frcnn*.py'))
DETECTORS = sorted(p.stem for p in SDCN.glob('*.py') if p.stem not in STAGE1 + PLAIN + FRCNN)
OICR = dict(demo='oicr_demo', voc07='oicr_vgg16_voc07', voc12='oicr_vgg16_voc12')
OICR['r18_voc07-train600'] = 'oicr_r18_voc07-train600'


def load(name):
    return Config.fromfile(SDCN / f'{name}.py')


@pytest.fixture(autouse=True)
def default_scope():
    init_default_scope('mmdet')
    yield
    init_default_scope('mmengine')


def build(cfg, without_weights):
    without_weights(cfg.model)
    head = cfg.model.roi_head
    if getattr(head.shared_head, 'type', None) == 'wsl_plugins.FCSharedHead':
        head.shared_head.fc_channels = (32, 32)  # those of VGG16 have 120 million parameters
        head.in_channels = 32
    return MODELS.build(cfg.model)


def test_the_stages_are_there():
    assert len(STAGE1) == 4 and len(DETECTORS) == 10
    for year in ('07', '12'):
        assert {f'sdcn_stage2_separate_vgg16_voc{year}', f'sdcn_vgg16_voc{year}'} <= set(DETECTORS)


@pytest.mark.parametrize('name', [name for name in DETECTORS if 'voc12' not in name])
def test_one_training_step(name, make_batch, without_weights):
    """Those of VOC 2012 are those of VOC 2007 with other data: see the test below."""
    cfg = load(name)
    collaboration = [cfg.model.get(key, True) for key in ('seg_to_det', 'det_to_seg')]
    model = build(cfg, without_weights).train()
    model.init_weights()
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    assert list(optimizer.keys()) == ['detector', 'classifier']
    labels = torch.zeros(2, model.roi_head.num_classes, dtype=torch.long)
    labels[0, [0, 2]] = labels[1, 1] = 1
    batch = make_batch([(64, 96), (96, 64)], [5, 3], labels.tolist())
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    logged = set(model.train_step(batch, optimizer))
    terms = {'loss', 'loss_mil', 'loss_adv', 'loss_map_cls', 'loss_classifier'}
    terms |= {f's{k}.loss_cls' for k in range(3)} | ({'loss_seg'} if collaboration[1] else set())
    assert logged == terms
    moved = {name for name, p in model.named_parameters() if not p.equal(before[name])}
    assert all(p.isfinite().all() for p in model.parameters())
    for part in ('roi_head.mil_head.fc_det.weight', 'seg_head.conv_seg.weight'):
        assert part in moved
    assert 'classifier.classifier.head.fc.weight' in moved


def test_stage_3_is_the_paper():
    for name in ('sdcn_vgg16_voc07', 'sdcn_vgg16_voc12'):
        model = load(name).model
        assert model.get('seg_to_det', True) and model.get('det_to_seg', True)
        assert model.classifier.mask_after == 'backbone.layer3'
        assert model.classifier.classifier.backbone.depth == 101
    assert load('sdcn_vgg16_voc07').model == load('sdcn_vgg16_voc12').model
    separate = [load(f'sdcn_stage2_separate_vgg16_voc{year}').model for year in ('07', '12')]
    for model in separate:
        assert not model.seg_to_det and not model.det_to_seg
        model.classifier.classifier.pop('init_cfg')
    assert separate[0] == separate[1]


@pytest.mark.parametrize('name', [name for name in DETECTORS if 'corloc' not in name])
def test_each_stage_loads_what_the_stage_before_saves(name):
    cfg = load(name)
    weights = cfg.model.classifier.classifier.get('init_cfg', {}).get('checkpoint')
    if 'stage2' in name:
        assert cfg.load_from is None
        source = weights
    else:
        assert weights is None
        source = cfg.load_from
    folder, run, epoch = Path(source).parts
    assert folder == 'work_dirs'
    before = load(run)
    assert f'stage{1 if "stage2" in name else 2}' in run
    assert epoch == f'epoch_{before.train_cfg.max_epochs}.pth'
    if 'stage1' not in run:  # the same model, so that every weight is loaded
        before.model.classifier.classifier.pop('init_cfg')
        for key in ('seg_to_det', 'det_to_seg'):
            before.model.pop(key)
            cfg.model.pop(key, None)
        assert before.model == cfg.model


@pytest.mark.parametrize('name', STAGE1)
def test_stage_1_trains_and_fits_the_detector(name, without_weights):
    cfg = load(name)
    init_default_scope('mmpretrain')
    without_weights(cfg.model)
    model = CLASSIFIERS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor)).train()
    if 'voc12' not in name:
        model.init_weights()
        optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
        samples = [DataSample().set_gt_label([0, 2]), DataSample().set_gt_label([1])]
        before = model.head.fc.weight.detach().clone()
        images = [torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8) for _ in samples]
        logs = model.train_step(dict(inputs=images, data_samples=samples), optimizer)
        assert logs['loss'] > 0 and not torch.equal(before, model.head.fc.weight)
    results = dict(img=np.zeros((60, 80, 3), np.uint8), image_labels=np.array([0, 1, 1]))
    for transform in cfg.train_dataloader.dataset.pipeline[1:]:
        results = TRANSFORMS.build(transform)(results)
    assert results['data_samples'].gt_score.tolist() == [0, 1, 1]
    init_default_scope('mmdet')
    suffix = name.split('classifier')[-1]
    stage2 = 'sdcn_demo_stage2_separate' if 'demo' in name else f'sdcn_stage2_separate{suffix}'
    stage2 = stage2 if (SDCN / f'{stage2}.py').is_file() else f'sdcn_stage2_separate_vgg16{suffix}'
    data = cfg.train_dataloader.dataset
    cfg = load(stage2)
    # the same images and labels in all stages (stage 3 has the data of stage 2)
    same = ('type', 'data_root', 'metainfo', 'ann_file', 'data_prefix', 'filter_cfg')
    for key in (*same, 'keep_difficult'):
        assert data.get(key) == cfg.train_dataloader.dataset.get(key), key
    for key in ('mean', 'std'):  # both see images of the same range, in RGB
        ours = getattr(model.data_preprocessor, key).flatten().tolist()
        assert ours == pytest.approx(cfg.model.data_preprocessor[key])
    assert cfg.model.data_preprocessor.bgr_to_rgb
    without_weights(cfg.model)
    inner = MODELS.build(cfg.model.classifier).classifier
    ours = {k: v.shape for k, v in inner.state_dict().items()}
    assert ours == {k: v.shape for k, v in model.state_dict().items()}


@pytest.mark.parametrize('name', PLAIN)
def test_the_detector_for_testing_is_oicr(name):
    cfg = load(name)
    if 'demo' in name:
        assert cfg.model.test_cfg.rcnn.max_per_img == -1
        return
    suffix = '_corloc' if name.endswith('_corloc') else ''
    kind = 'r18_voc07-train600' if 'r18' in name else f'voc{name.split("voc")[1][:2]}'
    assert cfg.model.type == 'FastRCNN'
    oicr = Config.fromfile(ROOT / 'oicr' / f'{OICR[kind]}.py')
    if suffix:
        assert cfg.test_evaluator.type == 'wsl_plugins.CorLocMetric'
        cfg.model.test_cfg = oicr.model.test_cfg
    assert cfg.model == oicr.model


def test_heads_have_the_classes_of_the_data_set():
    for name in DETECTORS:
        cfg = load(name)
        dataset = cfg.train_dataloader.dataset
        metainfo = DATASETS.get(dataset.type).METAINFO | dict(dataset.get('metainfo', {}))
        classes = len(metainfo['classes'])
        assert cfg.model.roi_head.num_classes == cfg.model.seg_head.num_classes == classes
        inner = cfg.model.classifier.classifier
        # mmdet's NumClassCheckHook asks every module that has a number of classes
        assert inner.head.num_classes == inner.data_preprocessor.num_classes == classes


def test_both_data_sets_of_stage_1_and_2_order_the_classes_alike():
    assert (
        tuple(VOC2007_CATEGORIES) == DATASETS.get('wsl_plugins.WSODVOCDataset').METAINFO['classes']
    )
    demo = load('sdcn_demo_stage1_classifier').train_dataloader.dataset.metainfo.classes
    assert tuple(demo) == tuple(load('sdcn_demo').train_dataloader.dataset.metainfo.classes)


@pytest.mark.parametrize('name', FRCNN)
def test_fast_rcnn_learns_from_boxes(name, make_batch, without_weights):
    """mmdet's own detector: one step on boxes as its data set gives them."""
    cfg = load(name)
    if 'voc07' in name:  # VGG16, from ImageNet weights, to fc7
        head = cfg.model.roi_head
        assert (cfg.model.backbone.depth, head.bbox_head.in_channels) == (16, 4096)
        for part in (cfg.model.backbone, head.shared_head):
            assert part.init_cfg.checkpoint == 'torchvision://vgg16'
        head.shared_head.fc_channels = (32, 32)  # of 120 million parameters
        head.bbox_head.in_channels = 32
    without_weights(cfg.model)
    model = MODELS.build(cfg.model).train()
    assert type(model).__module__.startswith('mmdet.')
    assert type(model.roi_head).__module__.startswith('mmdet.')
    classes = cfg.train_dataloader.dataset.metainfo.classes
    assert model.roi_head.bbox_head.num_classes == len(classes)
    test = cfg.test_dataloader.dataset
    metainfo = DATASETS.get(test.type).METAINFO | dict(test.get('metainfo', {}))
    assert tuple(metainfo['classes']) == tuple(classes)
    batch = make_batch([(96, 128), (64, 96)], [9, 4], [[1], [1]])
    for sample in batch['data_samples']:
        sample.gt_instances.bboxes = sample.proposals.bboxes[:1]
        sample.gt_instances.labels = torch.tensor([2])
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    logs = model.train_step(batch, optimizer)
    assert logs['loss_cls'] > 0 and logs['loss_bbox'].isfinite()
    moved = {name for name, p in model.named_parameters() if not p.equal(before[name])}
    assert 'roi_head.bbox_head.fc_cls.weight' in moved
    if 'voc07' in name:
        assert {'backbone.features.28.weight', 'roi_head.shared_head.classifier.0.weight'} <= moved
        assert 'backbone.features.7.weight' not in moved  # conv1 and conv2 stay
    model.eval()
    (found, _) = model.test_step(make_batch([(96, 128), (64, 96)], [9, 4], [[1], [1]]))
    assert found.pred_instances.bboxes.shape[1] == 4
