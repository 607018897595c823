import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from wsl_plugins.evaluation.functional import corloc, top_box_iou
from wsl_plugins.evaluation.metrics import CorLocMetric

from mmdet.registry import METRICS
from mmdet.structures import DetDataSample

CLASSES = ('a', 'b', 'c', 'd')


def loop_iou(box, other):
    """IoU of boxes of whole pixels by counting pixels."""
    pixels = {(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])}
    others = {(x, y) for x in range(other[0], other[2]) for y in range(other[1], other[3])}
    return len(pixels & others) / len(pixels | others)


def loop_corloc(images, use_difficult=False):
    """CorLoc of each class from the definition, image after image; None without an image."""
    result = []
    for label in range(len(CLASSES)):
        total = right = 0
        for predictions, objects in images:
            own = [b for b, c, hard in objects if c == label and (use_difficult or not hard)]
            if not own:
                continue
            total += 1
            best_score, best_box = -1, None
            for box, score, c in predictions:
                if c == label and score > best_score:
                    best_score, best_box = score, box
            if best_box is not None and any(loop_iou(best_box, b) >= 0.5 for b in own):
                right += 1
        result.append(100 * right / total if total else None)
    return result


def random_images(seed, num=25):
    """Predictions [(box, score, label)] near objects [(box, label, difficult)]."""
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(num):
        low = rng.integers(0, 10, (rng.integers(0, 5), 2))
        boxes = np.concatenate([low, low + rng.integers(3, 10, low.shape)], axis=1)
        labels = rng.integers(0, 3, len(boxes))  # no image of the last class
        hard = (rng.random(len(boxes)) < 0.3).tolist()
        objects = list(zip(boxes.tolist(), labels, hard, strict=True))
        predictions = []
        for box, label, _ in objects:
            for _ in range(rng.integers(0, 4)):
                moved = np.array(box) + np.repeat(rng.integers(-2, 3, (1, 2)), 2, 0).ravel()
                predictions.append((moved.tolist(), rng.random(), label))
        predictions += [([0, 0, 6, 5], rng.random(), rng.integers(0, 4)) for _ in range(2)]
        images.append((predictions, objects))
    return images


def instances(rows):
    """InstanceData of [(box, label)] or [(box, score, label)]."""
    data = InstanceData(
        bboxes=torch.tensor([row[0] for row in rows], dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor([row[-1] for row in rows], dtype=torch.int64),
    )
    if rows and len(rows[0]) == 3:
        data.scores = torch.tensor([row[1] for row in rows])
    elif not rows:
        data.scores = torch.zeros(0)
    return data


def data_sample(predictions, objects):
    sample = DetDataSample()
    sample.pred_instances = instances(predictions)
    sample.gt_instances = instances([(b, c) for b, c, hard in objects if not hard])
    sample.ignored_instances = instances([(b, c) for b, c, hard in objects if hard])
    return sample.to_dict()


def evaluate(images, **kwargs):
    metric = CorLocMetric(classwise=True, **kwargs)
    metric.dataset_meta = dict(classes=CLASSES)
    for start in range(0, len(images), 3):
        metric.process({}, [data_sample(*image) for image in images[start : start + 3]])
    return metric.evaluate(len(images))


@pytest.mark.parametrize('use_difficult', [False, True])
@pytest.mark.parametrize('seed', range(3))
def test_against_loop(seed, use_difficult):
    images = random_images(seed)
    expected = loop_corloc(images, use_difficult)
    got = evaluate(images, use_difficult=use_difficult)
    assert 0 < expected[0] < 100 and expected[3] is None
    for name, value in zip(CLASSES, expected, strict=True):
        if value is None:
            assert np.isnan(got[f'corloc/{name}'])
        else:
            assert got[f'corloc/{name}'] == pytest.approx(value, abs=1e-9)
    occurring = [value for value in expected if value is not None]
    assert got['corloc/mean'] == pytest.approx(sum(occurring) / len(occurring), abs=1e-9)


def test_by_hand():
    images = [
        # Right for class 0: the better of two boxes. Wrong for class 1: nothing predicted.
        (
            [([0, 0, 10, 10], 0.9, 0), ([50, 50, 60, 60], 0.8, 0)],
            [([0, 0, 10, 8], 0, False), ([5, 5, 9, 9], 1, False)],
        ),
        # Wrong for class 0: the top box misses. Class 1 is difficult only: not an image of it.
        (
            [([50, 50, 60, 60], 0.9, 0), ([0, 0, 10, 10], 0.8, 0), ([1, 1, 4, 4], 0.5, 1)],
            [([0, 0, 10, 10], 0, False), ([1, 1, 4, 4], 1, True)],
        ),
        # Right for class 1: any of its objects counts, at IoU of exactly 0.5.
        ([([0, 0, 10, 5], 0.1, 1)], [([70, 70, 80, 80], 1, False), ([0, 0, 10, 10], 1, False)]),
    ]
    got = evaluate(images, use_difficult=False)
    assert got['corloc/a'] == 50 and got['corloc/b'] == 50 and got['corloc/mean'] == 50
    assert np.isnan(got['corloc/c'])
    got = evaluate(images)
    assert got['corloc/b'] == pytest.approx(200 / 3)
    assert evaluate(images, iou_thr=0.51, use_difficult=False)['corloc/b'] == 0


def test_function_on_one_image():
    ious = top_box_iou(
        np.array([[0, 0, 9, 9], [0, 0, 1, 1]]),
        np.array([0.7, 0.7]),
        np.array([0, 0]),
        np.array([[0, 0, 9, 6], [2, 2, 5, 5]]),
        np.array([0, 1]),
        num_classes=3,
    )
    np.testing.assert_allclose(ious, [54 / 81, 0, np.nan])


def test_boxes_without_area():
    point = np.array([[3, 3, 3, 3]])
    assert top_box_iou(point, np.ones(1), np.zeros(1), point, np.zeros(1, int), 1).tolist() == [0]


def test_corloc_of_rows():
    nan = np.nan
    rows = np.array([[0.5, nan, nan], [0.4, 0.7, nan], [1, nan, nan], [1, 0, nan]])
    np.testing.assert_array_equal(corloc(rows), [0.75, 0.5, nan])
    np.testing.assert_array_equal(corloc(rows, 0.6), [0.5, 0.5, nan])


def test_mean_iou():
    """Class a: top boxes at IoU 0.8 and 0; class b: 0.5. Mean over classes of 40 and 50."""
    images = [
        ([([0, 0, 10, 8], 0.9, 0)], [([0, 0, 10, 10], 0, False)]),
        ([([50, 50, 60, 60], 0.9, 0)], [([0, 0, 10, 10], 0, False)]),
        ([([0, 0, 10, 5], 0.1, 1)], [([0, 0, 10, 10], 1, False)]),
    ]
    assert evaluate(images)['corloc/mean_iou'] == pytest.approx(45)


def test_only_the_mean_by_default():
    metric = METRICS.build(dict(type='wsl_plugins.CorLocMetric'))
    metric.dataset_meta = dict(classes=CLASSES)
    metric.process({}, [data_sample(*image) for image in random_images(0)])
    assert set(metric.evaluate(25)) == {'corloc/mean', 'corloc/mean_iou'}


def test_data_without_difficult_flags():
    """As mmdet packs annotations that have none."""
    metric = CorLocMetric()
    metric.dataset_meta = dict(classes=CLASSES)
    sample = data_sample([([0, 0, 10, 8], 0.9, 0)], [([0, 0, 10, 10], 0, False)])
    del sample['ignored_instances']
    metric.process({}, [sample])
    assert metric.evaluate(1)['corloc/mean'] == 100


def test_no_object_at_all():
    with pytest.raises(ValueError, match='CorLoc of 2 images without any object'):
        evaluate([([([0, 0, 6, 5], 0.5, 0)], [])] * 2)


def test_bad_threshold():
    with pytest.raises(ValueError, match=r'iou_thr must be in \(0, 1\], got 50'):
        CorLocMetric(iou_thr=50)
