"""mmdet's own Fast R-CNN on cached maps, through the runner: boxes, proposals and flips."""

import json
import shutil

import numpy as np
import pytest
from mmengine.registry import DATASETS

from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.proposals.convert import save_mmdet

LOAD = [dict(type='LoadImageFromFile'), dict(type='LoadProposals', num_max_proposals=30)]
BOXES = dict(type='LoadAnnotations', with_bbox=True)
PACK = dict(type='PackDetInputs')


def moving(*transforms):
    return dict(type='ProposalBroadcaster', transforms=list(transforms))


@pytest.fixture
def place(workplace):
    """A Fast R-CNN on COCO annotations and mmdet's file of proposals."""
    cfg, root = workplace.cfg, workplace.out.parent / 'data'
    proposals = ProposalFile.load(root / 'proposals.npz')
    for split, loader in (('train', cfg.train_dataloader), ('val', cfg.val_dataloader)):
        dataset = DATASETS.build(dict(loader.dataset, test_mode=True))
        infos = [dataset.get_data_info(number) for number in range(len(dataset))]
        write_coco(infos, root / f'{split}.json')
        boxes = {info['img_id']: proposals.boxes_of(info['img_id']) for info in infos}
        save_mmdet(ProposalFile.from_images(boxes), root / f'{split}.pkl')
    resize = dict(type='Resize', scale=(200, 64), keep_ratio=True)
    flip = dict(type='RandomFlip', prob=0.5)
    pipelines = {
        'train': [*LOAD, BOXES, dict(type='wsl_plugins.PseudoBoxNMS'), moving(resize, flip), PACK],
        'val': [*LOAD, moving(resize), BOXES, PACK],
    }
    for name in ('train', 'val', 'test'):
        split = 'val' if name == 'test' else name
        cfg[f'{name}_dataloader'].dataset = dict(
            type='CocoDataset',
            data_root=str(root),
            ann_file=f'{split}.json',
            data_prefix=dict(img='VOC2007/JPEGImages/'),
            proposal_file=f'{split}.pkl',
            metainfo=dict(classes=('cat', 'dog', 'cow')),
            test_mode=split == 'val',
            pipeline=pipelines[split],
        )
    head = cfg.model.roi_head
    cfg.model.roi_head = dict(
        type='StandardRoIHead',
        bbox_roi_extractor=head.bbox_roi_extractor,
        bbox_head=dict(
            type='Shared2FCBBoxHead',
            in_channels=32,
            fc_out_channels=16,
            num_classes=3,
            loss_cls=dict(type='CrossEntropyLoss'),
            bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_stds=[0.1, 0.1, 0.2, 0.2]),
        ),
    )
    overlaps = dict(pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5, match_low_quality=False)
    sampler = dict(type='RandomSampler', num=16, pos_fraction=0.25)
    cfg.model.train_cfg = dict(
        rcnn=dict(
            assigner=dict(type='MaxIoUAssigner', **overlaps),
            sampler=sampler,
            pos_weight=-1,
            debug=False,
        )
    )
    metric = dict(type='CocoMetric', ann_file=str(root / 'val.json'))
    cfg.val_evaluator = cfg.test_evaluator = metric
    return workplace


def write_coco(infos, path):
    images = [
        dict(id=n, file_name=f'{info["img_id"]}.jpg', width=info['width'], height=info['height'])
        for n, info in enumerate(infos)
    ]
    boxes = [(n, one) for n, info in enumerate(infos) for one in info['instances']]
    annotations = []
    for number, (image, one) in enumerate(boxes):
        x, y, right, bottom = one['bbox']
        box = dict(bbox=[x, y, right - x, bottom - y], area=(right - x) * (bottom - y), iscrowd=0)
        category = one['bbox_label'] + 1
        annotations.append(dict(id=number + 1, image_id=image, category_id=category, **box))
    categories = [dict(id=n + 1, name=name) for n, name in enumerate(('cat', 'dog', 'cow'))]
    path.write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))


def test_losses(place):
    place.cache(maps=True)
    place.same_losses()


def test_detections(place):
    place.cache(maps=True)
    place.same_detections(tta=False)


@pytest.mark.parametrize('flip', ['horizontal', 'vertical', 'diagonal'])
def test_boxes_move_as_on_images(place, flip):
    """Boxes to learn from, as well as proposals."""
    moves = place.cfg.train_dataloader.dataset.pipeline[4].transforms
    moves[1] = dict(type='RandomFlip', prob=1.0, direction=flip)
    place.cache(maps=True)
    samples = []
    for cached in (False, True):
        runner = place.runner(cached=cached)
        dataset = runner.train_loop.dataloader.dataset
        runner.call_hook('before_run')
        samples.append([dataset[n] for n in range(len(dataset))])
    assert samples[1][0]['inputs'].dim() == 3 and samples[1][0]['inputs'].shape[0] == 32
    for image, other in zip(*([s['data_samples'] for s in some] for some in samples), strict=True):
        assert image.metainfo == other.metainfo
        assert image.flip_direction == flip
        for one, two in (
            (image.proposals, other.proposals),
            (image.gt_instances, other.gt_instances),
        ):
            assert len(one) == len(two)
            np.testing.assert_array_equal(*(x.bboxes.numpy() for x in (one, two)))


def test_what_needs_pixels_fails(place):
    place.cache(maps=True)
    place.cfg.train_dataloader.dataset.pipeline.insert(5, dict(type='PhotoMetricDistortion'))
    with pytest.raises(
        ValueError, match='train_dataloader: PhotoMetricDistortion failed, .* pixels'
    ):
        place.runner().train()


def test_features_of_proposals_are_not_cached(place):
    with pytest.raises(ValueError, match='cached features are of WSOD data sets'):
        place.cache()


def test_images_are_not_needed(place):
    place.cache(maps=True)
    shutil.rmtree(place.out.parent / 'data/VOC2007/JPEGImages')
    place.runner().train()


def test_two_images_of_one_name(place):
    """Their files lie in two folders, and their sizes are equal."""
    root = place.out.parent / 'data'
    shutil.copytree(root / 'VOC2007/JPEGImages', root / 'others/JPEGImages')
    place.cache(maps=True)
    place.cfg.val_dataloader.dataset.update(
        ann_file='train.json', data_prefix=dict(img='others/JPEGImages/'), proposal_file='train.pkl'
    )
    with pytest.raises(ValueError, match='others/.*jpg: .*VOC2007/.* is image 000000, too'):
        place.runner().train()
    shutil.rmtree(place.out)
    with pytest.raises(ValueError, match='others/.*jpg: .*VOC2007/.* is image 000000, too'):
        place.cache(maps=True)
