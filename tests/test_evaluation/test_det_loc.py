"""Localisation accuracy of detectors: functions by loops, the metric through mmdet's own steps."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from wsl_plugins.evaluation.functional.det_loc import (
    NO_HIT,
    boxes_in_original,
    det_loc_accuracy,
    first_hit,
)
from wsl_plugins.registry import METRICS

from mmdet.registry import TRANSFORMS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import scale_boxes


def iou_by_pixels(first, second):
    """Of boxes with whole corners below 40."""
    masks = np.zeros((2, 40, 40), bool)
    for mask, (x1, y1, x2, y2) in zip(masks, (first, second), strict=True):
        mask[y1:y2, x1:x2] = True
    return (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()


def test_first_hit_by_pixels():
    rng = np.random.default_rng(0)
    ranks = set()
    for _ in range(300):
        corners = np.sort(rng.integers(0, 20, (8, 2, 2)), axis=1)
        boxes = np.concatenate([corners[:, 0], corners[:, 1] + 1], axis=1)
        boxes, truth = boxes[:6], boxes[6:]
        for iou, strict in ((0.3, False), (0.5, False), (0.25, True)):
            right = [
                any(v > iou if strict else v >= iou for v in (iou_by_pixels(b, t) for t in truth))
                for b in boxes
            ]
            expected = right.index(True) if any(right) else NO_HIT
            assert first_hit(boxes, truth, iou, strict) == expected
            ranks.add(expected)
    assert {0, 1, 2, 3, NO_HIT} <= ranks


def test_first_hit_at_the_border():
    truth = np.array([[0, 0, 10, 10]])
    half = np.array([[0, 0, 10, 5]])
    assert first_hit(half, truth) == 0 and first_hit(half, truth, strict=True) == NO_HIT
    assert first_hit(np.zeros((0, 4)), truth) == NO_HIT
    assert first_hit(np.array([[np.nan] * 4, [0, 0, 10, 10]]), truth) == 1
    for boxes in (half, np.zeros((0, 4))):
        with pytest.raises(ValueError, match='without any box of an object'):
            first_hit(boxes, np.zeros((0, 4)))


def test_accuracy_by_a_loop():
    rng = np.random.default_rng(0)
    for trial in range(30):
        hits = rng.choice([0, 1, 2, 3, 6, NO_HIT], 25)
        ranks, labels = rng.integers(0, 8, 25), rng.integers(0, 4, 25)
        per_class = trial % 2
        expected = {}
        for name, limit, k in (
            ('gt_known_loc', 1, 99),
            ('gt_known_loc_multi', NO_HIT, 99),
            ('top1_loc', 1, 1),
            ('top3_loc', 1, 3),
            ('top3_loc_multi', 3, 3),
        ):
            right = [bool(h < limit and r < k) for h, r in zip(hits, ranks, strict=True)]
            groups = [[right[i] for i in range(25) if labels[i] == c] for c in set(labels.tolist())]
            shares = [sum(g) / len(g) for g in (groups if per_class else [right])]
            expected[name] = 100 * sum(shares) / len(shares)
        got = det_loc_accuracy(hits, ranks, (1, 3), labels if per_class else None)
        assert got == pytest.approx(expected)
        one = det_loc_accuracy(hits, ranks, (1, 3), labels if per_class else None, multi=False)
        assert one == {name: got[name] for name in ('gt_known_loc', 'top1_loc', 'top3_loc')}
    assert det_loc_accuracy(hits, ranks) == det_loc_accuracy(hits, ranks, (1, 5), None, True)
    for groups in (None, labels):
        without_k = det_loc_accuracy(hits, ranks, (), groups)
        assert set(without_k) == {'gt_known_loc', 'gt_known_loc_multi'}


def test_boxes_in_original_by_hand():
    boxes = np.array([[0.0, 0.0, 10.0, 10.0], [50.0, 30.0, 500.0, 500.0]])
    got = boxes_in_original(boxes, (60, 80), (2.0, 4.0), (16, 8))
    assert got.tolist() == [[8, 2, 18, 12], [58, 32, 80, 60]]
    assert boxes_in_original(boxes, (60, 80)).tolist() == [[0, 0, 10, 10], [50, 30, 80, 60]]
    got = boxes_in_original([[-9.0, -2.0, 10.0, 10.0]], (60, 80), crop_offset=(5, 0))
    assert got.tolist() == [[0, 0, 15, 10]]
    for nothing in (np.zeros((0, 4)), []):
        assert boxes_in_original(nothing, (60, 80)).shape == (0, 4)


PIPELINE = [
    dict(type='mmdet.Resize', scale=(256, 256), keep_ratio=False),
    dict(type='wsl_plugins.FixedCrop', crop_size=224),
    dict(
        type='mmdet.PackDetInputs',
        meta_keys=('ori_shape', 'img_shape', 'scale_factor', 'crop_offset', 'gt_boxes'),
    ),
]


@pytest.mark.parametrize('size', [(400, 300), (90, 512), (256, 256)])
def test_there_and_back_through_mmdet(size):
    """A white rectangle seen by the network, rescaled as mmdet's heads do, is the object."""
    width, height = size
    x1, y1, x2, y2 = truth = [width // 4, height // 3, 3 * width // 4, 2 * height // 3]
    results = dict(img=np.zeros((height, width, 3), np.uint8), ori_shape=(height, width))
    cv2.rectangle(results['img'], (x1, y1), (x2 - 1, y2 - 1), (255,) * 3, cv2.FILLED)
    results['gt_boxes'] = np.array([truth], float)
    for transform in PIPELINE:
        results = TRANSFORMS.build(transform)(results)
    assert results['inputs'].shape == (3, 224, 224)
    sample = results['data_samples']
    ys, xs = np.nonzero(results['inputs'][0].numpy() > 127)
    seen = torch.tensor([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]]).float()
    boxes = scale_boxes(seen, [1 / s for s in sample.scale_factor])
    got = boxes_in_original(boxes.numpy(), sample.ori_shape, sample.scale_factor, (16, 16))
    tolerance = max(width, height) / 256
    np.testing.assert_allclose(got, [truth], atol=tolerance)
    sample.pred_instances = InstanceData(bboxes=boxes, scores=torch.ones(1))
    metric = METRICS.build(dict(type='wsl_plugins.DetLocAccuracy', iou=0.9))
    metric.process({}, [sample.to_dict()])
    assert metric.evaluate(1)['wsol/gt_known_loc'] == 100


def sample_of(image_id, label, boxes, scores, truth=(0, 0, 10, 10)):
    sample = DetDataSample(metainfo=dict(ori_shape=(50, 60), image_id=image_id, gt_label=label))
    sample.set_metainfo(dict(gt_boxes=np.array([truth], float)))
    bboxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    sample.pred_instances = InstanceData(bboxes=bboxes, scores=torch.tensor(scores))
    return sample.to_dict()


RIGHT, HALF, WRONG = [0, 0, 10, 10], [0, 0, 10, 5], [20, 20, 30, 30]


def samples():
    """Rank of the right box: 0 (tie: the first goes first), 1, 2, none, no box."""
    return [
        sample_of('a', 0, [WRONG, RIGHT, WRONG], [0.2, 0.9, 0.9]),
        sample_of('b', 1, [HALF, WRONG], [0.3, 0.6]),
        sample_of('c', 2, [WRONG, WRONG, RIGHT], [0.9, 0.8, 0.1]),
        sample_of('d', 0, [WRONG], [0.5]),
        sample_of('e', 0, [], []),
    ]


def evaluate(data, **kwargs):
    metric = METRICS.build(dict(type='wsl_plugins.DetLocAccuracy', **kwargs))
    for sample in data:
        metric.process({}, [sample])
    return {name.removeprefix('wsol/'): v for name, v in metric.evaluate(len(data)).items()}


@pytest.mark.parametrize(
    'options, expected',
    [
        ({}, (20, 60, 1.8, 1)),
        (dict(iou=0.6), (20, 40, 1.8, 1)),
        (dict(max_boxes=2), (20, 40, 1.4, 1)),
        (dict(score_thr=0.3), (20, 40, 1.4, 1)),
        (dict(score_thr=0.55), (20, 20, 1.0, 2)),
    ],
)
def test_metric(options, expected):
    names = ('gt_known_loc', 'gt_known_loc_multi', 'boxes_per_image', 'images_without_box')
    assert evaluate(samples(), **options) == pytest.approx(dict(zip(names, expected, strict=True)))


def test_scores_that_are_no_numbers():
    nan = float('nan')
    got = evaluate(
        [sample_of('a', 0, [RIGHT, WRONG], [nan, 0.1]), sample_of('b', 0, [RIGHT], [nan])]
    )
    assert (got['gt_known_loc_multi'], got['boxes_per_image']) == (0, 0.5)


def classes_file(tmp_path, labels):
    path = tmp_path / 'classes.json'
    content = {image_id: dict(labels=best) for image_id, best in labels.items()}
    path.write_text(json.dumps(dict(predictions=content)))
    return str(path)


LABELS = dict(a=[1, 0, 2], b=[1, 2, 0], c=[2, 0, 1], d=[0, 1, 2], e=[0, 1, 2])


def test_with_classes(tmp_path):
    """Class ranks 1, 0, 0, 0, 0; right boxes 0, 1, 2, none, none."""
    path = classes_file(tmp_path, LABELS)
    got = evaluate(samples(), classes=path)
    assert {k: got[k] for k in ('top1_loc', 'top5_loc', 'top5_loc_multi')} == dict(
        top1_loc=0, top5_loc=20, top5_loc_multi=60
    )
    assert 'top1_loc_multi' not in got and got['gt_known_loc'] == 20
    got = evaluate(samples(), classes=path, topk=(2,))
    assert (got['top2_loc'], got['top2_loc_multi']) == (20, 40)


def test_errors(tmp_path):
    for options, message in (
        (dict(iou=0), r'iou must be in \(0, 1\], got 0'),
        (dict(topk=(1,)), r'topk=\(1,\) needs classes'),
        (dict(topk=(0,), classes='c.json'), r'topk must be .* got \(0,\)'),
        (dict(max_boxes=0), 'max_boxes must be at least 1, got 0'),
    ):
        with pytest.raises(ValueError, match=message):
            evaluate([], **options)
    with pytest.raises(FileNotFoundError, match='none.json: no such file'):
        evaluate([], classes=str(tmp_path / 'none.json'))
    path = classes_file(tmp_path, dict(a=[1, 0, 2]))
    with pytest.raises(ValueError, match="classes.json: image 'b' needs 3 labels, got 0"):
        evaluate(samples(), classes=path)
    path = classes_file(tmp_path, LABELS | dict(b=[1, 2]))
    with pytest.raises(ValueError, match="classes.json: image 'b' needs 3 labels, got 2"):
        evaluate(samples(), classes=path)
    for key in ('pred_instances', 'gt_boxes', 'ori_shape'):
        sample = samples()[0]
        sample.pop(key)
        with pytest.raises(ValueError, match=f"DetLocAccuracy needs '{key}' .* image 'a'"):
            evaluate([sample])
    with pytest.raises(ValueError, match="image 'a' is flipped"):
        evaluate([samples()[0] | dict(flip=True)])
