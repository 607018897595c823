"""Pseudo boxes of a file as the targets of a data set."""

import json

import cv2
import numpy as np
import pytest

from wsl_plugins.datasets.pseudo_box_dataset import best_box
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata, write_wsol_metadata
from wsl_plugins.pseudo_boxes import PseudoBoxFile
from wsl_plugins.registry import DATASETS

IDS = ['a/1.jpg', 'b/2.jpg', 'b/3.jpg']
SIZE = (60, 40)
TRUTH = np.array([[50.0, 30.0, 59.0, 39.0]])
ROWS = {
    'a/1.jpg': [((10, 5, 30, 25), 0, float('nan'))],
    'b/2.jpg': [((0, 0, 50, 40), 1, 0.2), ((5, 5, 9, 9), 1, 0.7), ((0, 0, 9, 9), 1, float('nan'))],
    'b/3.jpg': [((0, 0, 5, 5), 1, float('nan')), ((1, 2, 41, 32), 1, float('nan'))],
}


@pytest.fixture
def build(tmp_path):
    def build(rows=ROWS, sizes=None, **kwargs):
        image = np.zeros((*SIZE[::-1], 3), np.uint8)
        for image_id in IDS:
            (tmp_path / 'images' / image_id).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / 'images' / image_id), image)
        labels = dict(zip(IDS, (0, 1, 1), strict=True))
        for split in ('train-weaksup', 'train-fullsup'):
            metadata = WSOLMetadata(
                tmp_path / 'meta' / split,
                IDS,
                labels,
                dict.fromkeys(IDS, SIZE),
                boxes=dict.fromkeys(IDS, TRUTH),
            )
            write_wsol_metadata(metadata)
        sizes = sizes or dict.fromkeys(rows, SIZE)
        classes = {0: 'x', 1: 'y'}
        PseudoBoxFile.from_rows(sizes, rows, classes, {}).save(tmp_path / 'boxes.json')
        cfg = dict(
            type='wsl_plugins.PseudoBoxDataset',
            box_file='boxes.json',
            metadata_root='meta',
            split='train-weaksup',
            data_root=str(tmp_path),
            data_prefix='images',
        )
        return DATASETS.build(cfg | kwargs)

    return build


def test_best_box():
    """Score, then area, then the first."""
    nan = float('nan')
    boxes = np.array([[0, 0, 2, 2], [0, 0, 3, 3], [1, 1, 4, 4], [0, 0, 1, 1]])
    for scores, best in (
        ([nan] * 4, 1),
        ([nan, nan, nan, 0.1], 3),
        ([0.5, 0.4, 0.5, 0.1], 2),
        ([0.9, 0.4, 0.5, nan], 0),
    ):
        assert best_box(boxes, np.array(scores)).tolist() == [boxes[best].tolist()]


def test_boxes_and_nothing_of_the_truth(build):
    dataset = build()
    expected = [[10, 5, 30, 25], [5, 5, 9, 9], [1, 2, 41, 32]]
    assert len(dataset) == 3
    for number, box in enumerate(expected):
        info = dataset.get_data_info(number)
        assert info['gt_bboxes'].tolist() == [box] and info['gt_bboxes'].dtype == np.float64
        assert 'gt_boxes' not in info
        assert (info['image_id'], info['gt_label']) == (IDS[number], min(number, 1))


def test_truth_stays_another_key(build):
    info = build(split='train-fullsup').get_data_info(0)
    assert info['gt_boxes'].tolist() == TRUTH.tolist()
    assert info['gt_bboxes'].tolist() == [[10, 5, 30, 25]]


def test_a_sample(build):
    pipeline = [
        dict(type='mmpretrain.LoadImageFromFile'),
        dict(type='mmpretrain.Resize', scale=(30, 80)),
        dict(type='wsl_plugins.PackWSOLInputs'),
    ]
    sample = build(pipeline=pipeline)[0]['data_samples']
    expected = [10 / 60, 5 / 40, 30 / 60, 25 / 40]
    np.testing.assert_allclose(sample.gt_box, expected, rtol=1e-6)
    assert sample.scale_factor == (0.5, 2.0) and sample.ori_shape == (40, 60)


def test_images_without_boxes_are_counted(build, caplog):
    import logging

    from mmengine.logging import MMLogger

    logger = MMLogger.get_instance('pseudo_box_test', logger_name='pseudo_box_test')
    logger.addHandler(caplog.handler)
    with caplog.at_level(logging.WARNING):
        dataset = build(rows=ROWS | {'b/2.jpg': []})
    assert [dataset.get_data_info(k)['image_id'] for k in range(2)] == ['a/1.jpg', 'b/3.jpg']
    assert len(dataset) == 2
    assert any('1 of 3 images' in record.getMessage() for record in caplog.records)
    with pytest.raises(ValueError, match='boxes.json: no box for any of 3 images'):
        build(rows=dict.fromkeys(IDS, []))


def test_bad_files(build, tmp_path):
    with pytest.raises(ValueError, match=r'boxes.json: lacks 2 images: b/2.jpg; b/3.jpg'):
        build(rows={'a/1.jpg': ROWS['a/1.jpg']})
    sizes = dict.fromkeys(IDS, SIZE) | {'b/3.jpg': (61, 40)}
    message = r'boxes.json: other .*1 image: b/3.jpg is \(61, 40\), not \(60, 40\)'
    with pytest.raises(ValueError, match=message):
        build(sizes=sizes, split='train-fullsup')
    with pytest.raises(FileNotFoundError, match='none.json'):
        build(box_file='none.json')
    (tmp_path / 'other.json').write_text(json.dumps([1]))
    with pytest.raises(ValueError, match='other.json: no file of pseudo boxes'):
        build(box_file='other.json')
    assert len(build(box_file=str(tmp_path / 'boxes.json'))) == 3  # absolute
