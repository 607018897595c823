"""A tiny VOC data set and the config of a tiny detector whose first layers are frozen."""

import copy
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from wsl_plugins.engine.feature_caching import cache_features
from wsl_plugins.engine.feature_worker import Recipe, build_detector
from wsl_plugins.files.formats.proposal_file import ProposalFile

from mmcv import imwrite

CLASSES = ('cat', 'dog', 'cow')
SCALES = [(200, 48), (200, 64)]
LOAD = [
    dict(type='LoadImageFromFile'),
    dict(type='wsl_plugins.LoadWSODProposals', min_side=8),
]
FLIP = dict(type='RandomFlip', prob=0.5)
PACK = dict(type='wsl_plugins.PackWSODInputs')


def moving(*transforms: dict) -> dict:
    return dict(type='wsl_plugins.TransformWithProposals', transforms=list(transforms))


def resize(scale: tuple[int, int]) -> dict:
    return dict(type='Resize', scale=scale, keep_ratio=True)


def write_data(root: Path) -> None:
    """Eight images of different sizes, one without proposals, in the layout of VOC."""
    random, boxes = np.random.default_rng(0), {}
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (root / 'VOC2007' / folder).mkdir(parents=True)
    names = [f'{n:06d}' for n in range(8)]
    for number, name in enumerate(names):
        width, height = 60 + 4 * number, 80 - 3 * number
        pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        imwrite(pixels, str(root / f'VOC2007/JPEGImages/{name}.jpg'))
        tree = ElementTree.Element('annotation')
        size = ElementTree.SubElement(tree, 'size')
        for key, value in (('width', width), ('height', height), ('depth', 3)):
            ElementTree.SubElement(size, key).text = str(value)
        for label in {CLASSES[number % 3], CLASSES[number % 2]}:
            item = ElementTree.SubElement(tree, 'object')
            ElementTree.SubElement(item, 'name').text = label
            ElementTree.SubElement(item, 'difficult').text = '0'
            box = ElementTree.SubElement(item, 'bndbox')
            for key, value in zip(('xmin', 'ymin', 'xmax', 'ymax'), (5, 6, 40, 44), strict=True):
                ElementTree.SubElement(box, key).text = str(value)
        ElementTree.ElementTree(tree).write(root / f'VOC2007/Annotations/{name}.xml')
        low = random.integers(0, 30, (0 if number == 3 else 20, 2))
        boxes[name] = np.hstack([low, low + random.integers(4, 20, low.shape)])
    ProposalFile.from_images(boxes).save(root / 'proposals.npz')
    lists = root / 'VOC2007/ImageSets/Main'
    (lists / 'train.txt').write_text('\n'.join(names[:6]))
    (lists / 'val.txt').write_text('\n'.join(names[6:]))


def config(root: Path) -> dict:
    train = [
        LOAD[0],
        dict(LOAD[1], num_sample=9),
        moving(dict(type='RandomChoiceResize', scales=SCALES, keep_ratio=True), FLIP),
        PACK,
    ]
    annotations = dict(type='LoadAnnotations', with_bbox=True)
    test = [*LOAD, moving(resize(SCALES[1])), annotations, PACK]
    views = [
        [moving(resize(scale)) for scale in SCALES],
        [moving(dict(FLIP, prob=prob)) for prob in (0.0, 1.0)],
        [annotations],
        [PACK],
    ]

    def loader(split: str, pipeline: list, shuffle: bool) -> dict:
        return dict(
            batch_size=1,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=shuffle),
            dataset=dict(
                type='wsl_plugins.WSODVOCDataset',
                data_root=str(root),
                ann_file=f'VOC2007/ImageSets/Main/{split}.txt',
                data_prefix=dict(sub_data_root='VOC2007/'),
                proposal_file='proposals.npz',
                metainfo=dict(classes=CLASSES),
                filter_cfg=dict(filter_empty_gt=True),
                test_mode=not shuffle,
                pipeline=pipeline,
            ),
        )

    return dict(
        default_scope='mmdet',
        model=dict(
            type='FastRCNN',
            data_preprocessor=dict(
                type='DetDataPreprocessor', mean=[114.0] * 3, std=[58.0] * 3, pad_size_divisor=16
            ),
            backbone=dict(
                type='ResNet',
                depth=18,
                base_channels=8,
                num_stages=3,
                strides=(1, 2, 2),
                dilations=(1, 1, 1),
                out_indices=(2,),
                frozen_stages=3,
                norm_eval=True,
            ),
            roi_head=dict(
                type='wsl_plugins.WSODRoIHead',
                in_channels=32,
                num_classes=3,
                bbox_roi_extractor=dict(
                    type='SingleRoIExtractor',
                    roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=2),
                    out_channels=32,
                    featmap_strides=[16],
                ),
                shared_head=[dict(type='wsl_plugins.NormalizedAvgPool', scale=5.0, dropout=0.5)],
                mil_head=dict(type='wsl_plugins.WSDDNHead'),
                refine_head=dict(type='wsl_plugins.RefinementHead'),
            ),
            train_cfg=None,
            test_cfg=dict(
                rcnn=dict(score_thr=0.0, nms=dict(type='nms', iou_threshold=0.3), max_per_img=10)
            ),
        ),
        tta_model=dict(type='wsl_plugins.WSODTTAModel'),
        tta_pipeline=[*LOAD, dict(type='TestTimeAug', transforms=views)],
        train_dataloader=loader('train', train, True),
        val_dataloader=loader('val', test, False),
        test_dataloader=loader('val', test, False),
        train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2, val_interval=5),
        val_cfg=dict(type='ValLoop'),
        test_cfg=dict(type='TestLoop'),
        val_evaluator=dict(type='wsl_plugins.WSODVOCMetric'),
        test_evaluator=dict(type='wsl_plugins.WSODVOCMetric'),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9)),
        randomness=dict(seed=3),
        log_level='ERROR',
    )


@pytest.fixture
def workplace(tmp_path):
    """``cfg``: the config, whose frozen weights are in a file; ``cache``: function that caches it;
    ``runner``: function that builds its runner, with ``cached`` on the cache; ``losses``: of a
    training; ``same_losses``, ``same_detections``: images and cache give the same."""
    write_data(tmp_path / 'data')
    cfg = Config(config(tmp_path / 'data'))
    init_default_scope('mmdet')
    model = build_detector(Recipe(cfg, None, None, 'cpu', 'float32', 1))
    cfg.load_from = str(tmp_path / 'start.pth')
    torch.save(dict(state_dict=model.state_dict()), cfg.load_from)
    out = tmp_path / 'cache'

    def runner(cached=True, **changes):
        own = copy.deepcopy(cfg)
        own.merge_from_dict(changes)
        own.work_dir = str(tmp_path / 'work')
        own.experiment_name = f'run{len(list(tmp_path.glob("work/*")))}-{cached}-{id(own)}'
        if cached:
            hook = dict(type='wsl_plugins.CachedRoIFeatures', cache=str(out))
            own.merge_from_dict(dict(default_hooks=dict(cached=hook)))
        return Runner.from_cfg(own)

    def losses(one):
        found = []
        step = one.model.train_step

        def train_step(*args, **kwargs):
            found.append({k: float(v.detach()) for k, v in step(*args, **kwargs).items()})
            return {'loss': torch.tensor(found[-1]['loss'])}

        one.model.train_step = train_step
        one.train()
        return found

    def same_losses():
        images = losses(runner(cached=False))
        one = runner()
        one.model.backbone.conv1.forward = None  # fails if it runs
        cached = losses(one)
        assert len(images) == len(cached) == 12
        for step, other in zip(images, cached, strict=True):
            assert step == pytest.approx(other, rel=5e-3, abs=1e-4)
        assert len({round(step['loss'], 5) for step in images}) > 6  # steps differ
        # a checkpoint is that of a whole detector
        assert 'backbone.conv1.weight' in one.model.state_dict()

    def detections(cached):
        one, seen = runner(cached=cached), []
        step = one.model.test_step

        def test_step(data):
            results = step(data)
            seen.extend(results)
            return results

        one.model.test_step = test_step
        one.test()
        return seen

    def same_detections(tta):
        if tta:
            cfg.model = dict(**cfg.tta_model, module=cfg.model)
            cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
        for image, other in zip(detections(False), detections(True), strict=True):
            assert len(image.pred_instances) == len(other.pred_instances) > 0
            for key in ('bboxes', 'scores', 'labels'):
                a, b = image.pred_instances[key], other.pred_instances[key]
                torch.testing.assert_close(a, b, rtol=5e-3, atol=1e-3)

    yield SimpleNamespace(
        cfg=cfg,
        out=out,
        cache=lambda **options: cache_features(cfg, out, **options),
        runner=runner,
        losses=losses,
        same_losses=same_losses,
        same_detections=same_detections,
    )
    init_default_scope('mmengine')
