"""Pseudo boxes as the objects of a data set of mmdet, through the pipelines of the configs."""

import logging
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.runner import Runner

from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata, write_wsol_metadata
from wsl_plugins.pseudo_boxes import PseudoBoxFile
from wsl_plugins.registry import DATASETS

CONFIGS = Path(__file__).parents[2] / 'configs' / '_base_'
IDS = ['a/1.jpg', 'b/2.jpg', 'b/3.jpg']
SIZE = (60, 40)
NAN = float('nan')
TRUTH = np.array([[50.0, 30.0, 59.0, 39.0]])
ROWS = {
    'a/1.jpg': [((10, 5, 30, 25), 0, 0.9)],
    'b/2.jpg': [((0, 0, 50, 40), 1, 0.2), ((5, 5, 9, 9), 1, 0.7)],
    'b/3.jpg': [],
}


@pytest.fixture
def build(tmp_path):
    def build(rows=ROWS, sizes=None, metadata_sizes=True, corrected=(), **kwargs):
        for image_id in IDS:
            (tmp_path / 'images' / image_id).parent.mkdir(parents=True, exist_ok=True)
            image = np.zeros((*SIZE[::-1], 3), np.uint8)
            image[5:25, 10:30] = 255  # the box of a/1.jpg
            cv2.imwrite(str(tmp_path / 'images' / image_id), image)
        labels = dict(zip(IDS, (0, 1, 1), strict=True))
        for split in ('train-weaksup', 'test'):
            metadata = WSOLMetadata(
                tmp_path / 'meta' / split,
                IDS,
                labels,
                dict.fromkeys(IDS, SIZE) if metadata_sizes else {},
                boxes=dict.fromkeys(IDS, TRUTH),
            )
            write_wsol_metadata(metadata)
        sizes = sizes or dict.fromkeys(rows, SIZE)
        pseudo = PseudoBoxFile.from_rows(sizes, rows, {0: 'x', 1: 'y'}, {}, corrected)
        pseudo.save(tmp_path / 'boxes.json')
        cfg = dict(
            type='wsl_plugins.PseudoBoxDetDataset',
            box_file='boxes.json',
            metadata_root='meta',
            split='train-weaksup',
            data_root=str(tmp_path),
            data_prefix='images',
        )
        return DATASETS.build(cfg | kwargs)

    return build


@pytest.fixture
def log(caplog):
    """Messages of the current logger."""
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    with caplog.at_level(logging.WARNING):
        yield caplog
    logger.removeHandler(caplog.handler)


def boxes_of(info):
    assert all((i['bbox_label'], i['ignore_flag']) == (0, 0) for i in info['instances'])
    return [i['bbox'] for i in info['instances']]


def test_all_boxes_and_nothing_of_the_truth(build, tmp_path, log):
    dataset = build()
    assert dataset.metainfo['classes'] == ('object',) and len(dataset) == 3
    for number, image_id in enumerate(IDS):
        info = dataset.get_data_info(number)
        assert boxes_of(info) == [list(row[0]) for row in ROWS[image_id]]
        assert info['img_path'] == str(tmp_path / 'images' / image_id)
        assert (info['image_id'], info['img_id']) == (image_id, number)
        assert (info['width'], info['height']) == tuple(info['image_size']) == SIZE
        assert info['gt_label'] == min(number, 1) and type(info['gt_label']) is int
        assert 'gt_boxes' not in info
    assert log.messages == [f'{tmp_path}/boxes.json: 1 of 3 images have no box']


def test_truth_is_another_key(build):
    info = build(split='test').get_data_info(0)
    assert info['gt_boxes'].tolist() == TRUTH.tolist() and boxes_of(info) == [[10, 5, 30, 25]]
    info = build(split='train-weaksup', require='boxes').get_data_info(0)
    assert info['gt_boxes'].tolist() == TRUTH.tolist() and boxes_of(info) == [[10, 5, 30, 25]]


def test_test_set_needs_no_box_file(build):
    dataset = build(split='test', box_file=None, test_mode=True)
    assert [boxes_of(dataset.get_data_info(k)) for k in range(3)] == [[], [], []]


def test_images_without_box_can_be_left_out(build, log):
    dataset = build(filter_cfg=dict(filter_empty_gt=True))
    assert [dataset.get_data_info(k)['image_id'] for k in range(len(dataset))] == IDS[:2]
    assert dataset.get_data_info(1)['img_id'] == 1
    assert log.messages[-1] == 'left out 1 of 3 images without box'
    assert len(build(filter_cfg=dict(filter_empty_gt=False))) == 3
    assert len(build(filter_cfg=dict(filter_empty_gt=True), test_mode=True)) == 3


def test_proposals_of_mmdet_stay_with_their_images(build, tmp_path):
    found = {i: np.full((1, 4), float(k)) for k, i in enumerate(IDS)}
    (tmp_path / 'proposals.pkl').write_bytes(pickle.dumps(found))
    filtering = dict(filter_cfg=dict(filter_empty_gt=True))
    for count, options in ((3, {}), (2, filtering)):
        dataset = build(proposal_file='proposals.pkl', **options)
        assert len(dataset) == count
        for k in range(count):
            assert dataset.get_data_info(k)['proposals'].tolist() == [[k] * 4]


def test_score_thr(build, log):
    found = [boxes_of(build(score_thr=0.7).get_data_info(k)) for k in range(3)]
    assert found == [[[10, 5, 30, 25]], [[5, 5, 9, 9]], []]
    build(score_thr=0.8)
    assert log.messages[-1].endswith('2 of 3 images have no box')
    with pytest.raises(ValueError, match=r'boxes.json: no box of score_thr=0.95 or more'):
        build(score_thr=0.95)
    rows = ROWS | {'b/3.jpg': [((0, 0, 5, 5), 1, NAN)]}
    assert boxes_of(build(rows=rows).get_data_info(2)) == [[0, 0, 5, 5]]
    with pytest.raises(ValueError, match='score_thr=0.1, but a box of b/3.jpg has no score'):
        build(rows=rows, score_thr=0.1)


def test_sizes_from_either_file(build):
    info = build(metadata_sizes=False).get_data_info(0)
    assert (info['width'], info['height']) == SIZE
    with pytest.raises(ValueError, match='no size in image_sizes.txt of 3 images: a/1.jpg'):
        build(metadata_sizes=False, box_file=None)


def test_bad_files(build, tmp_path):
    with pytest.raises(ValueError, match=r'boxes.json: lacks 2 images: b/2.jpg; b/3.jpg'):
        build(rows={'a/1.jpg': ROWS['a/1.jpg']})
    sizes = dict.fromkeys(IDS, SIZE) | {'b/3.jpg': (61, 40)}
    with pytest.raises(ValueError, match=r'1 image: b/3.jpg is \(61, 40\), not \(60, 40\)'):
        build(sizes=sizes)
    with pytest.raises(ValueError, match='boxes.json: no box for any of 3 images'):
        build(rows=dict.fromkeys(IDS, []))
    with pytest.raises(FileNotFoundError, match='none.json'):
        build(box_file='none.json')
    with pytest.raises(FileNotFoundError, match='1 missing file: .*3.jpg'):
        dataset_files = tmp_path / 'images' / 'b' / '3.jpg'
        build()
        dataset_files.unlink()
        DATASETS.build(
            dict(
                type='wsl_plugins.PseudoBoxDetDataset',
                metadata_root='meta',
                split='test',
                data_root=str(tmp_path),
                data_prefix=dict(img_path='images'),
            )
        )
    assert len(build(box_file=str(tmp_path / 'boxes.json'))) == 3  # absolute


@pytest.mark.parametrize(
    'name, side',
    [('wend_cub', 224), ('wend_cub27', 224), ('wend_imagenet', 224), ('wend_demo', 96)],
)
def test_configs(build, tmp_path, name, side):
    """The loaders of a config on the tiny data: boxes follow the image, meta keys arrive."""
    cfg = Config.fromfile(CONFIGS / 'datasets' / f'{name}.py')
    build()
    for loader, box_file in (('train_dataloader', 'boxes.json'), ('test_dataloader', None)):
        cfg[loader].update(num_workers=0, persistent_workers=False)
        cfg[loader].dataset.update(
            data_root=str(tmp_path), metadata_root='meta', data_prefix='images'
        )
        assert bool(cfg[loader].dataset.get('box_file')) == bool(box_file)
        if box_file:
            cfg[loader].dataset.box_file = box_file
    for _ in range(3):
        batches = list(Runner.build_dataloader(cfg.train_dataloader, seed=0))
        pairs = [p for b in batches for p in zip(b['inputs'], b['data_samples'], strict=True)]
        counts = {}
        for image, sample in pairs:
            assert tuple(image.shape) == (3, side, side) == (3, *sample.img_shape)
            counts[sample.img_path[-5]] = len(sample.gt_instances)
            assert not sample.gt_instances.labels.any()
            if sample.img_path.endswith('1.jpg'):
                assert_box_of_the_mask(image, sample.gt_instances.bboxes)
        assert counts['1'] == 1 and counts['2'] in (1, 2) and counts['3'] == 0
    (batch,) = Runner.build_dataloader(cfg.test_dataloader, seed=0)
    sample = batch['data_samples'][1]
    assert tuple(batch['inputs'][1].shape) == (3, side, side)
    assert (sample.image_id, sample.gt_label, tuple(sample.image_size)) == ('b/2.jpg', 1, SIZE)
    assert sample.gt_boxes.tolist() == TRUTH.tolist() and sample.ori_shape == SIZE[::-1]
    resized = 256 if side == 224 else 96
    np.testing.assert_allclose(sample.scale_factor, (resized / 60, resized / 40))
    assert sample.get('crop_offset') == ((16, 16) if side == 224 else None)


def assert_box_of_the_mask(image, boxes):
    """The box of a white rectangle is where it is in the image, to a pixel and a half."""
    ys, xs = np.nonzero(image[0].numpy() > 127)
    extent = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    np.testing.assert_allclose(boxes.tensor[0].numpy(), extent, atol=1.5)


def test_imagenette_has_no_validation():
    cfg = Config.fromfile(CONFIGS / 'datasets' / 'wend_imagenette.py')
    assert cfg.val_dataloader is None and cfg.val_evaluator is None
    assert cfg.test_dataloader.dataset.split == 'test'
    assert cfg.train_dataloader.dataset.data_prefix == 'imagenette'


def test_runtime():
    cfg = Config.fromfile(CONFIGS / 'wend_runtime.py')
    hook = cfg.default_hooks.checkpoint
    assert (hook.max_keep_ckpts, hook.save_best) == (2, 'wsol/gt_known_loc')
    assert cfg.default_scope == 'mmdet' and hook.type == 'CheckpointHook'


def test_corrected_boxes_are_marked_and_stay(build):
    """They have no score; an image that was found to be empty stays empty."""
    rows = ROWS | {'a/1.jpg': [((10, 5, 30, 25), 0, NAN)]}
    dataset = build(rows, score_thr=0.5, corrected=['a/1.jpg', 'b/3.jpg'])
    found = [dataset.get_data_info(n)['instances'] for n in range(3)]
    assert found[0] == [dict(bbox=[10, 5, 30, 25], bbox_label=0, ignore_flag=0, corrected=True)]
    assert found[1] == [dict(bbox=[5, 5, 9, 9], bbox_label=0, ignore_flag=0)]
    assert found[2] == []
    with pytest.raises(ValueError, match=r'a box of a/1\.jpg has no score'):
        build(rows, score_thr=0.5, corrected=['b/3.jpg'])
