import json

import pytest
import torch

from mmdet.registry import METRICS

BOXES = [[10, 10, 60, 60], [100, 10, 160, 60], [10, 100, 30, 120]]


def make_metric(tmp_path, first_id):
    annotations = [
        dict(
            id=n + first_id,
            image_id=1,
            category_id=1,
            iscrowd=0,
            area=(x2 - x1) * (y2 - y1),
            bbox=[x1, y1, x2 - x1, y2 - y1],
        )
        for n, (x1, y1, x2, y2) in enumerate(BOXES)
    ]
    content = dict(
        images=[dict(id=1, file_name='1.jpg', width=200, height=200)],
        annotations=annotations,
        categories=[dict(id=1, name='cat'), dict(id=2, name='dog')],
    )
    path = tmp_path / 'instances.json'
    path.write_text(json.dumps(content))
    metric = METRICS.build(dict(type='wsl_plugins.WSODCocoMetric', ann_file=str(path)))
    metric.dataset_meta = dict(classes=('cat', 'dog'))
    return metric


@pytest.fixture
def metric(tmp_path):
    """Metric of one image with two medium objects and one small one of the first class."""
    return make_metric(tmp_path, first_id=1)


def predict(metric, boxes, scores):
    predicted = dict(
        bboxes=torch.tensor(boxes, dtype=torch.float32),
        scores=torch.tensor(scores),
        labels=torch.zeros(len(boxes), dtype=torch.int64),
    )
    metric.process({}, [dict(img_id=1, ori_shape=(200, 200), pred_instances=predicted)])
    return metric.evaluate(1)


def test_average_recall_by_hand(metric):
    # Ten boxes elsewhere come between the first right box and the other two.
    elsewhere = [[150, 150, 190, 190 - n] for n in range(10)]
    got = predict(
        metric,
        [BOXES[0], *elsewhere, BOXES[1], BOXES[2]],
        [0.9, *[0.8 - n / 100 for n in range(10)], 0.5, 0.4],
    )
    assert got['coco/bbox_AR@1'] == pytest.approx(1 / 3, abs=1e-3)
    assert got['coco/bbox_AR@10'] == pytest.approx(1 / 3, abs=1e-3)
    assert got['coco/bbox_AR@100'] == 1
    assert got['coco/bbox_AR_s@100'] == 1 and got['coco/bbox_AR_m@100'] == 1
    assert got['coco/bbox_AR_l@100'] == -1  # no large object


def test_names(metric):
    got = predict(metric, BOXES[:2], [0.9, 0.8])
    assert set(got) >= {'coco/bbox_mAP', 'coco/bbox_mAP_50', 'coco/bbox_mAP_75'}
    assert not [name for name in got if '300' in name or '1000' in name]
    assert got['coco/bbox_AR@1'] == pytest.approx(1 / 3, abs=1e-3)
    assert got['coco/bbox_AR@10'] == pytest.approx(2 / 3, abs=1e-3)
    assert got['coco/bbox_AR_s@100'] == 0 and got['coco/bbox_AR_m@100'] == 1
    # Recalls 0, .01, ..., .66 of the 101 points are reached with precision 1.
    assert got['coco/bbox_mAP'] == pytest.approx(67 / 101, abs=1e-3)


@pytest.mark.parametrize('first_id', [0, -1, 2**53])
def test_any_id_of_an_annotation(tmp_path, first_id):
    """pycocotools 2.0.11 takes an object of id 0 for none; it keeps ids as floats."""
    got = predict(make_metric(tmp_path, first_id), BOXES, [0.9, 0.8, 0.7])
    assert got['coco/bbox_mAP'] == 1 and got['coco/bbox_AR@100'] == 1


def test_ground_truth_of_the_samples(metric):
    """Without a file the numbers are the same; a difficult object is neither missed nor wrong."""
    without_file = METRICS.build(dict(type='wsl_plugins.WSODCocoMetric'))
    without_file.dataset_meta = metric.dataset_meta
    objects = dict(bboxes=torch.tensor(BOXES).float(), labels=torch.zeros(3, dtype=torch.int64))
    none = dict(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.int64))
    shown, scores = [[0, 0, 9, 9], BOXES[0], BOXES[1]], [0.95, 0.9, 0.8]

    def evaluate(metric, truth, ignored):
        predicted = dict(
            bboxes=torch.tensor(shown).float(),
            scores=torch.tensor(scores),
            labels=torch.zeros(3, dtype=torch.int64),
        )
        sample = dict(
            img_id='000001',
            ori_shape=(200, 200),
            pred_instances=predicted,
            gt_instances=truth,
            ignored_instances=ignored,
        )
        metric.process({}, [sample])
        return metric.evaluate(1)

    expected = predict(metric, shown, scores)
    assert evaluate(without_file, objects, none) == expected
    first = {key: value[:1] for key, value in objects.items()}
    others = {key: value[1:] for key, value in objects.items()}
    again = METRICS.build(dict(type='wsl_plugins.WSODCocoMetric'))
    again.dataset_meta = metric.dataset_meta
    got = evaluate(again, others, first)
    # right of two: the second box; one false detection before it
    assert got['coco/bbox_AR@100'] == 0.5
    assert got['coco/bbox_mAP_50'] == pytest.approx(51 * 0.5 / 101, abs=1e-3)
