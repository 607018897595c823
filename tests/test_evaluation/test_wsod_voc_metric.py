import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from wsl_plugins.evaluation.metrics import WSODVOCMetric

from mmdet.structures import DetDataSample

CLASSES = ('a', 'b', 'c')


# 0:0.1:1 of the kit of 2007, which MATLAB makes from both ends
KIT = [*(i * 0.1 for i in range(5)), 0.5, *(1 - i * 0.1 for i in range(4, -1, -1))]
PY_FASTER_RCNN = np.arange(0, 1.1, 0.1)


def devkit_ap(images, label, eleven_points, levels=KIT):
    """Average precision of a class as in VOCevaldet of the VOC development kits 2007 and 2012.

    The kits hold the first and the last pixel of a box; here ends are exclusive.
    """
    objects = [
        [dict(box=b, hard=hard, det=False) for b, c, hard in truth if c == label]
        for _, truth in images
    ]
    npos = sum(not o['hard'] for own in objects for o in own)
    detections = [
        (score, number, box)
        for number, (predictions, _) in enumerate(images)
        for box, score, c in predictions
        if c == label
    ]
    tp, fp = [], []
    for _, number, box in sorted(detections, key=lambda d: -d[0]):
        best, match = -np.inf, None
        for o in objects[number]:
            bi = [*np.maximum(box[:2], o['box'][:2]), *np.minimum(box[2:], o['box'][2:])]
            iw, ih = bi[2] - bi[0], bi[3] - bi[1]
            if iw > 0 and ih > 0:
                areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, o['box'])]
                overlap = iw * ih / (sum(areas) - iw * ih)
                if overlap > best:
                    best, match = overlap, o
        tp.append(0)
        fp.append(0)
        if best >= 0.5:
            if not match['hard']:
                if match['det']:
                    fp[-1] = 1
                else:
                    tp[-1] = 1
                    match['det'] = True
        else:
            fp[-1] = 1
    tp, fp = np.cumsum(tp), np.cumsum(fp)
    recall, precision = tp / npos, tp / np.maximum(tp + fp, 1e-9)
    if eleven_points:
        at = [max(precision[recall >= t], default=0) for t in levels]
        return sum(at) / 11
    recall, precision = [0, *recall, 1], [0, *precision, 0]
    for i in range(len(precision) - 2, -1, -1):
        precision[i] = max(precision[i], precision[i + 1])
    return sum((recall[i] - recall[i - 1]) * precision[i] for i in range(1, len(recall)))


def random_images(seed, num=12):
    """Predictions [(box, score, label)] near objects [(box, label, difficult)]."""
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(num):
        low = rng.integers(0, 40, (rng.integers(1, 6), 2))
        boxes = np.concatenate([low, low + rng.integers(4, 24, low.shape)], axis=1)
        truth = [(b.tolist(), int(rng.integers(0, 3)), bool(rng.random() < 0.25)) for b in boxes]
        predictions = []
        for box, label, _ in truth:
            for _ in range(rng.integers(0, 4)):
                moved = np.array(box) + rng.integers(-3, 4, 4)
                moved[2:] = np.maximum(moved[2:], moved[:2] + 1)
                predictions.append((moved.tolist(), rng.random(), label))
        predictions.append(([0, 0, 20, 9], rng.random(), int(rng.integers(0, 3))))
        images.append((predictions, truth))
    return images


def evaluate(images, dataset_type=None, **kwargs):
    metric = WSODVOCMetric(**kwargs)
    metric.dataset_meta = dict(classes=CLASSES, dataset_type=dataset_type)
    for predictions, truth in images:
        sample = DetDataSample()
        sample.pred_instances = InstanceData(
            bboxes=torch.tensor([p[0] for p in predictions], dtype=torch.float32).reshape(-1, 4),
            scores=torch.tensor([p[1] for p in predictions]),
            labels=torch.tensor([p[2] for p in predictions], dtype=torch.int64),
        )
        for field, flag in (('gt_instances', False), ('ignored_instances', True)):
            own = [t for t in truth if t[2] == flag]
            boxes = torch.tensor([t[0] for t in own], dtype=torch.float32).reshape(-1, 4)
            labels = torch.tensor([t[1] for t in own], dtype=torch.int64)
            setattr(sample, field, InstanceData(bboxes=boxes, labels=labels))
        before = sample.gt_instances.bboxes.clone(), sample.pred_instances.bboxes.clone()
        metric.process({}, [sample.to_dict()])
        assert torch.equal(before[0], sample.gt_instances.bboxes)
        assert torch.equal(before[1], sample.pred_instances.bboxes)
    return metric.evaluate(len(images))


@pytest.mark.parametrize('mode', ['11points', 'area'])
@pytest.mark.parametrize('seed', range(3))
def test_against_the_development_kit(seed, mode):
    images = random_images(seed)
    expected = [devkit_ap(images, label, mode == '11points') for label in range(3)]
    assert 0.1 < min(expected) and max(expected) < 0.95
    got = evaluate(images, eval_mode=mode)['pascal_voc/mAP']
    assert got == pytest.approx(np.mean(expected), abs=1e-6)


@pytest.mark.parametrize(
    'found, points, kit, numbers', [(3, 4, 3, 3), (6, 7, 7, 6), (7, 8, 8, 7), (5, 6, 6, 6)]
)
def test_recalls_that_are_a_level(found, points, kit, numbers):
    """Of ten objects, without an error: ours, the kit's and py-faster-rcnn's number of points."""
    objects = [[20 * n, 0, 20 * n + 10, 10] for n in range(10)]
    predictions = [(box, 0.9 - n / 100, 0) for n, box in enumerate(objects[:found])]
    images = [(predictions, [(box, 0, False) for box in objects])]
    report = evaluate(images, 'VOC2007')
    assert report['pascal_voc/mAP'] == pytest.approx(points / 11)
    assert report['pascal_voc/AP50'] == round(points / 11, 3)
    for levels, expected in ((KIT, kit), (PY_FASTER_RCNN, numbers)):
        assert devkit_ap(images, 0, True, levels) == pytest.approx(expected / 11)


@pytest.mark.parametrize('height, right', [(10, 1.0), (9, 0.0)])
def test_half_of_an_object_is_the_limit(height, right):
    images = [([([0, 0, 20, height], 0.5, 0)], [([0, 0, 20, 20], 0, False)])]
    assert evaluate(images, eval_mode='area')['pascal_voc/mAP'] == pytest.approx(right)


def test_no_detection():
    images = [([], [([0, 0, 20, 20], 0, False)])]
    assert evaluate(images)['pascal_voc/mAP'] == 0
