"""The configs of configs/_base_/datasets, built as they are on tiny data sets in their places."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmdet.datasets import CocoDataset, VOCDataset
from mmdet.registry import DATASETS, METRICS, TRANSFORMS

CONFIGS = Path(__file__).parents[2] / 'configs' / '_base_' / 'datasets'
VOC_FIRST = VOCDataset.METAINFO['classes'][:3]
COCO_CLASSES = CocoDataset.METAINFO['classes']
SIDES = [480, 576, 688, 864, 1000, 1200]
TTA_SIDES = [480, 576, 688, 800, 864, 1000, 1200]
# config: (training images, test images, metric)
EXPECTED = {
    'voc07_wsod': (4, 4, 'WSODVOCMetric'),
    'voc12_wsod': (4, 4, 'WSODVOCMetric'),
    'voc0712_wsod': (8, 4, 'WSODVOCMetric'),
    'coco14_wsod': (4, 4, 'WSODCocoMetric'),
    'coco17_wsod': (4, 4, 'WSODCocoMetric'),
}


def renamed(images, old, new):
    names = dict(zip(old, new, strict=True))
    return {
        stem: (width, height, [(names[name], flag, box) for name, flag, box in objects])
        for stem, (width, height, objects) in images.items()
    }


@pytest.fixture
def data_folder(tmp_path, monkeypatch, mini):
    """data/VOCdevkit and data/coco below the current folder."""
    monkeypatch.chdir(tmp_path)
    voc, coco = Path('data/VOCdevkit'), Path('data/coco')
    for year, split in (
        ('2007', 'trainval'),
        ('2007', 'test'),
        ('2012', 'trainval'),
        ('2012', 'train'),
        ('2012', 'val'),
    ):
        images = renamed(mini.images, mini.classes, VOC_FIRST)
        mini.write_voc(voc / f'VOC{year}', images, split)
        name = f'voc{year}_{split}_selective_search.npz'
        mini.write_proposals(voc / 'proposals' / name, mini.proposals_of())
    for split in ('train2014', 'val2014', 'train2017', 'val2017'):
        images = renamed(mini.images, mini.classes, COCO_CLASSES[:3])
        mini.write_coco(coco, split, images, COCO_CLASSES)
        name = f'{split}_selective_search.npz'
        mini.write_proposals(coco / 'proposals' / name, mini.proposals_of())


@pytest.fixture(params=EXPECTED)
def config(request, data_folder):
    """(config without worker processes, what is expected of it)."""
    cfg = Config.fromfile(CONFIGS / f'{request.param}.py')
    for key in ('train', 'val', 'test', 'corloc'):
        cfg[f'{key}_dataloader'].update(num_workers=0, persistent_workers=False)
    return cfg, EXPECTED[request.param]


def test_training(config):
    cfg, (images, _, _) = config
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    batches = list(loader)
    samples = [sample for batch in batches for sample in batch['data_samples']]
    assert len(loader.dataset) == len(samples) == images
    assert len(batches[0]['inputs']) == 2
    pictures = [picture for batch in batches for picture in batch['inputs']]
    for picture, sample in zip(pictures, samples, strict=True):
        assert min(picture.shape[1:]) in SIDES
        assert sample.gt_instances.keys() == sample.ignored_instances.keys() == []
        assert sample.image_labels[:3].any() and not sample.image_labels[3:].any()
        height, width = sample.ori_shape
        boxes = sample.proposals.bboxes / torch.tensor(sample.scale_factor).repeat(2)
        assert len(boxes) and ((boxes[:, 2:] - boxes[:, :2]) > 19.99).all()
        assert (boxes >= 0).all() and (boxes <= torch.tensor([width, height] * 2) + 1e-4).all()


@pytest.mark.parametrize('key', ['val', 'test', 'corloc'])
def test_evaluation(config, key):
    cfg, (_, images, _) = config
    loader = Runner.build_dataloader(cfg[f'{key}_dataloader'])
    samples = [batch['data_samples'][0] for batch in loader]
    assert len(samples) == images
    assert samples[0].gt_instances.bboxes.tensor.tolist() == [[5, 6, 35, 30], [30, 5, 55, 39]]
    assert samples[2].ignored_instances.bboxes.tensor.tolist() == [[10, 10, 50, 40]]
    assert all(min(sample.img_shape) == 688 for sample in samples)


def test_corloc_runs_on_the_training_images(config):
    cfg, _ = config
    training = cfg.train_dataloader.dataset
    training = training.datasets[0] if 'datasets' in training else training
    corloc = cfg.corloc_dataloader.dataset
    for key in ('ann_file', 'data_prefix', 'proposal_file'):
        assert corloc[key] == training[key]
        assert cfg.test_dataloader.dataset[key] == cfg.val_dataloader.dataset[key]
    assert corloc.test_mode


def test_metric(config):
    cfg, (_, _, metric) = config
    tested = cfg.test_evaluator
    tested = tested if isinstance(tested, list) else [tested]
    assert tested[0] == cfg.val_evaluator
    assert all(METRICS.get(evaluator.type) for evaluator in tested)
    assert cfg.val_evaluator.type == f'wsl_plugins.{metric}'
    if 'ann_file' in cfg.val_evaluator:
        dataset = cfg.val_dataloader.dataset
        assert cfg.val_evaluator.ann_file == dataset.data_root + dataset.ann_file


def test_eval_mode_of_the_year():
    modes = {
        name: Config.fromfile(CONFIGS / f'{name}.py').val_evaluator.eval_mode
        for name in EXPECTED
        if name.startswith('voc')
    }
    assert modes == dict(voc07_wsod='11points', voc12_wsod='area', voc0712_wsod='11points')


def test_test_time_augmentation_keeps_the_rows(data_folder):
    cfg = Config.fromfile(CONFIGS / 'voc07_wsod.py')
    plain = DATASETS.build(cfg.val_dataloader.dataset)[1]['data_samples']
    cfg.val_dataloader.dataset.pipeline = cfg.tta_pipeline
    views = DATASETS.build(cfg.val_dataloader.dataset)[1]['data_samples']
    assert [(min(view.img_shape), view.flip) for view in views] == [
        (side, flip) for side in TTA_SIDES for flip in (False, True)
    ]
    factor = torch.tensor(plain.scale_factor).repeat(2)
    expected = plain.proposals.bboxes / factor
    assert len(expected)
    for view in views:
        boxes = view.proposals.bboxes.clone()
        if view.flip:
            boxes[:, [0, 2]] = view.img_shape[1] - boxes[:, [2, 0]]
        torch.testing.assert_close(
            boxes / torch.tensor(view.scale_factor).repeat(2), expected, atol=1e-3, rtol=0
        )
        assert view.gt_instances.bboxes.tensor.tolist() == [[0, 0, 3, 2]]


@pytest.mark.parametrize(
    'size, side, expected',
    [
        ((500, 375), 480, (640, 480)),
        ((375, 500), 1200, (1200, 1600)),
        ((500, 100), 480, (2000, 400)),
        ((333, 500), 688, (688, 1033)),
    ],
)
def test_scale_is_the_shorter_side_up_to_2000(size, side, expected):
    scale = next(s for s in Config.fromfile(CONFIGS / 'wsod_pipelines.py').scales if s[1] == side)
    resize = TRANSFORMS.build(dict(type='Resize', scale=scale, keep_ratio=True))
    picture = resize(dict(img=np.zeros((size[1], size[0], 3), np.uint8)))['img']
    assert picture.shape[1::-1] == expected
