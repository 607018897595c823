import json

import pytest
import torch

from mmdet.registry import METRICS

BOXES = [[10, 10, 60, 60], [100, 10, 160, 60], [10, 100, 30, 120]]


@pytest.fixture
def metric(tmp_path):
    """Metric of one image with two medium objects and one small one of the first class."""
    annotations = [
        dict(
            id=n + 1,
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
