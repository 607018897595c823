"""Box accuracy against a plain transcription of the published procedure: every threshold, the
whole image, one box after the other."""

import cv2
import numpy as np
import pytest

from wsl_plugins.evaluation.functional.box_accuracy import (
    THRESHOLDS,
    box_hits,
    hits_at,
    level_boxes,
    max_box_acc,
    resize_boxes,
    threshold_ious,
)
from wsl_plugins.structures.box_iou import box_ious


def slow_boxes(score_map, threshold):
    """All boxes of one threshold, and the one of the largest contour."""
    height, width = score_map.shape
    image = (score_map * 255).astype(np.uint8)
    level = int(threshold * np.max(image))
    _, binary = cv2.threshold(image, level, 255, cv2.THRESH_BINARY)
    contours = cv2.findContours(binary, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0]
    boxes = []
    for contour in contours:
        x, y, w, h = cv2.boundingRect(contour)
        boxes.append((x, y, min(x + w, width - 1), min(y + h, height - 1)))
    if not boxes:
        return [(0, 0, 0, 0)], (0, 0, 0, 0)
    largest = max(range(len(contours)), key=lambda index: cv2.contourArea(contours[index]))
    return boxes, boxes[largest]


def slow_iou(a, b):
    """IoU of two boxes with both ends inside."""
    w = max(0, min(a[2], b[2]) - max(a[0], b[0]) + 1)
    h = max(0, min(a[3], b[3]) - max(a[1], b[1]) + 1)
    area_a, area_b = ((c[2] - c[0] + 1) * (c[3] - c[1] + 1) for c in (a, b))
    return w * h / (area_a + area_b - w * h)


def slow_ious(score_map, objects, thresholds):
    """(2, T): IoU of the largest contour's box, and the best of all boxes."""
    rows = [[], []]
    for threshold in thresholds:
        boxes, largest = slow_boxes(score_map, threshold)
        rows[0].append(max(slow_iou(largest, b) for b in objects))
        rows[1].append(max(slow_iou(box, b) for box in boxes for b in objects))
    return np.array(rows)


def normalized(raw):
    raw = raw - raw.min()
    return raw / raw.max()


def smooth(rng, height, width, cells=5):
    """CAM-like: noise blown up."""
    noise = rng.random((cells, cells))
    return normalized(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC))


def plateaus(rng, height, width):
    """Rectangles of few values, many at the borders."""
    score_map = np.zeros((height, width))
    for _ in range(6):
        x0, y0 = rng.integers(-3, width), rng.integers(-3, height)
        x1, y1 = x0 + rng.integers(1, width), y0 + rng.integers(1, height)
        score_map[max(y0, 0) : y1, max(x0, 0) : x1] = rng.integers(0, 5) / 4
    return score_map


def equal_blobs(rng, height, width):
    """Many blobs of one size and few values: contours of equal area."""
    score_map = np.zeros((height, width))
    for _ in range(12):
        x, y = rng.integers(0, width - 2), rng.integers(0, height - 2)
        score_map[y : y + 3, x : x + 3] = rng.integers(1, 4) / 3
    return score_map


def rings(rng, height, width):
    """Nested rings about a point: holes, and islands in holes."""
    y, x = np.mgrid[:height, :width]
    far = np.maximum(abs(x - rng.integers(0, width)), abs(y - rng.integers(0, height)))
    return normalized(np.sin(far * rng.uniform(0.3, 1.5)) + 0.02 * far)


MAKERS = {
    'smooth': smooth,
    'smooth below 1': lambda *a: 0.37 * smooth(*a),
    'noise': lambda rng, h, w: rng.random((h, w)),
    'sparse': lambda rng, h, w: (rng.random((h, w)) > 0.9) * rng.random((h, w)),
    'plateaus': plateaus,
    'equal blobs': equal_blobs,
    'rings': rings,
    'float32': lambda *a: smooth(*a).astype(np.float32).astype(np.float64),
    'constant': lambda rng, h, w: np.full((h, w), rng.choice([0, 0.3, 1.0])),
}
SIZES = [(5, 7), (7, 5), (24, 24), (20, 33), (31, 18)]


def random_objects(rng, height, width):
    low = rng.integers(0, [width, height], (rng.integers(1, 4), 2))
    return np.concatenate([low, rng.integers(low, [width, height])], axis=1)


@pytest.mark.parametrize('name', MAKERS)
def test_against_transcription(name):
    for number in range(40):
        rng = np.random.default_rng(number)
        height, width = SIZES[number % len(SIZES)]
        score_map = MAKERS[name](rng, height, width)
        objects = random_objects(rng, height, width)
        thresholds = np.concatenate([np.arange(0, 1, 0.05), rng.random(20)])
        got = threshold_ious(score_map, objects, thresholds)
        expected = slow_ious(score_map, objects, thresholds)
        np.testing.assert_array_equal(got, expected, err_msg=f'{name} {number}')


@pytest.mark.parametrize('name', ['smooth', 'smooth below 1', 'plateaus', 'rings'])
def test_all_published_thresholds(name):
    assert len(THRESHOLDS) == 1000 and THRESHOLDS[200] == 0.2
    for number in range(3):
        rng = np.random.default_rng(100 + number)
        score_map, objects = MAKERS[name](rng, 12, 17), random_objects(rng, 12, 17)
        expected = slow_ious(score_map, objects, THRESHOLDS)
        np.testing.assert_array_equal(threshold_ious(score_map, objects), expected)


def test_full_size():
    rng = np.random.default_rng(3)
    score_map, objects = smooth(rng, 224, 224, 14), random_objects(rng, 224, 224)
    thresholds = THRESHOLDS[::7]
    expected = slow_ious(score_map, objects, thresholds)
    assert len(np.unique(expected)) > 50
    np.testing.assert_array_equal(threshold_ious(score_map, objects, thresholds), expected)


@pytest.mark.parametrize('name', ['noise', 'equal blobs', 'rings', 'sparse'])
def test_order_of_contours_is_that_of_the_whole_image(name):
    """Boxes of every level in the same order, and the first of the largest contours."""
    ties = 0
    for number in range(10):
        score_map = MAKERS[name](np.random.default_rng(number), 17, 23)
        image = (score_map * 255).astype(np.uint8)
        levels = [int(value) for value in np.unique(image)]
        boxes, firsts, largest = level_boxes(image, levels)
        parts = np.split(boxes, firsts[1:])
        for level, part, index in zip(levels, parts, largest - firsts, strict=True):
            expected, best = slow_boxes((image > level).astype(float), 0)
            assert [tuple(box) for box in part.tolist()] == expected
            assert tuple(part[index].tolist()) == best
            mask = (image > level).astype(np.uint8)
            contours = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0]
            areas = [cv2.contourArea(contour) for contour in contours]
            ties += areas.count(max(areas, default=0)) > 1
    assert ties > 5 or name == 'rings'


def test_one_pixel():
    score_map = np.zeros((9, 9))
    score_map[4, 6] = 1
    got = threshold_ious(score_map, np.array([[6, 4, 7, 5]]))  # the box is one pixel too wide
    np.testing.assert_array_equal(got, np.ones((2, 1000)))
    score_map[4, 6], score_map[8, 8] = 0, 1  # in the corner the box is cut at W - 1
    assert (threshold_ious(score_map, np.array([[8, 8, 8, 8]])) == 1).all()


def test_published_cases():
    """Score maps and boxes of the tests of the published evaluator."""
    unimodal = [[0, 0, 0, 0, 0], [0, 4, 4, 4, 6], [0, 4, 10, 8, 6], [0, 4, 4, 4, 6]]
    multimodal = [[4, 0, 2, 2, 2], [4, 4, 0, 4, 0], [0, 0, 0, 4, 0], [10, 6, 8, 2, 2]]
    cases = {
        ((1, 1, 4, 3), (1, 1, 4, 3), (2, 1, 4, 3), (2, 2, 4, 3), (2, 2, 3, 3)): unimodal,
        ((0, 0, 4, 3), (0, 0, 2, 2), (0, 3, 3, 3), (2, 3, 3, 3), (0, 3, 1, 3)): multimodal,
        ((0, 0, 0, 0),) * 5: np.zeros((3, 3)),
    }
    for boxes, values in cases.items():
        score_map = np.array(values) / 10
        for threshold, box in zip(np.arange(0, 1, 0.2), boxes, strict=True):
            ious = threshold_ious(score_map, np.array([box]), [threshold])
            assert ious[0, 0] == 1, (box, threshold)


def test_map_without_contour():
    """Constant maps have the box (0, 0, 0, 0): one pixel with inclusive ends."""
    for value in (0, 0.4, 1):
        score_map = np.full((6, 8), value)
        expected = 1 if value == 0 else 1 / 48  # at threshold 0 a positive constant is all kept
        first, *others = threshold_ious(score_map, np.array([[0, 0, 0, 0]]))[0]
        assert first == pytest.approx(expected)
        assert others[-1] == pytest.approx(expected)
    assert (threshold_ious(np.zeros((6, 8)), np.array([[4, 4, 5, 5]])) == 0).all()


def test_iou_by_counting_pixels():
    rng = np.random.default_rng(0)
    boxes, others = random_objects(rng, 9, 12), random_objects(rng, 9, 12)
    for i, a in enumerate(boxes):
        for j, b in enumerate(others):
            pixels = [
                {(x, y) for x in range(c[0], c[2] + 1) for y in range(c[1], c[3] + 1)}
                for c in (a, b)
            ]
            expected = len(pixels[0] & pixels[1]) / len(pixels[0] | pixels[1])
            assert box_ious(boxes, others, plus_one=True)[i, j] == expected


def test_resized_boxes():
    assert resize_boxes(np.array([1, 2, 4, 3]), (10, 20), (35, 10)).tolist() == [[3, 1, 14, 1]]
    rng = np.random.default_rng(0)
    for _ in range(200):
        size = rng.integers(30, 700, 2)
        box = random_objects(rng, *size[::-1])[0]
        expected = [int(float(box[i]) * 224.0 / float(size[i % 2])) for i in range(4)]
        assert resize_boxes(box, tuple(size)).tolist() == [expected]
        twice = np.array([box, box], np.uint16)  # too narrow for the products
        assert resize_boxes(twice, tuple(size)).tolist() == [expected] * 2
    assert resize_boxes(np.zeros((0, 4)), (9, 9)).shape == (0, 4)


def test_wrong_input():
    objects = np.array([[0, 0, 1, 1]])
    with pytest.raises(ValueError, match='without any box'):
        threshold_ious(np.zeros((3, 3)), np.zeros((0, 4), int))
    for bad in (np.nan, 1.5, -0.1):
        with pytest.raises(ValueError, match='normalise'):
            threshold_ious(np.array([[0, bad]]), objects)


def test_hits_and_best_threshold_by_hand():
    """Three images, four thresholds: one threshold serves the whole set."""
    thresholds = np.array([0.0, 0.1, 0.2, 0.3])
    ious = [
        ([0.5, 0.5, 0.49, 0.2], [0.5, 0.7, 0.69, 0.3]),
        ([0.1, 0.2, 0.90, 0.9], [0.1, 0.3, 0.90, 0.9]),
        ([0.0, 0.6, 0.10, 0.5], [0.0, 0.6, 0.29, 0.5]),
    ]
    hits = [box_hits(np.array(rows)) for rows in ious]
    assert hits[0].tolist() == [
        [True, True, False, False],
        [True, True, True, True],
        [True, True, True, False],
        [False, True, False, False],
    ]
    got = max_box_acc(np.mean(hits, axis=0) * 100, thresholds)
    assert got == {
        'MaxBoxAcc': pytest.approx(200 / 3),
        'MaxBoxAcc_threshold': 0.1,  # 1, 2, 1, 2 images: the first of the best
        'MaxBoxAccV2': pytest.approx((100 + 200 / 3 + 100 / 3) / 3),
        'MaxBoxAccV2_30': 100,
        'MaxBoxAccV2_30_threshold': 0.1,
        'MaxBoxAccV2_50': pytest.approx(200 / 3),
        'MaxBoxAccV2_50_threshold': 0.1,  # 1, 2, 2, 2
        'MaxBoxAccV2_70': pytest.approx(100 / 3),
        'MaxBoxAccV2_70_threshold': 0.1,  # 0, 1, 1, 1
    }


def test_each_accuracy_at_its_own_threshold():
    rng = np.random.default_rng(5)
    score_map, objects = smooth(rng, 40, 40), np.array([[5, 5, 30, 28]])
    full = box_hits(threshold_ious(score_map, objects))
    for _ in range(20):
        indices = rng.integers(0, 1000, 4)
        expected = [full[row, index] for row, index in enumerate(indices)]
        assert hits_at(score_map, objects, THRESHOLDS[indices]).tolist() == expected
    assert 0 < full[1].sum() < 1000


def test_perfect_map():
    score_map = np.zeros((224, 224))
    score_map[40:101, 30:151] = 1
    hits = box_hits(threshold_ious(score_map, np.array([[30, 40, 150, 100]])))
    assert hits.all()
    assert max_box_acc(hits * 100.0)['MaxBoxAccV2'] == 100


def test_center_baseline_by_hand():
    """Levels of a cone are centred squares: right where the squares' areas are alike."""
    y, x = np.mgrid[:224, :224]
    cone = normalized(-np.maximum(abs(x - 112), abs(y - 112)).astype(float))
    sets = [(62, 162), (92, 132), None]  # sides 101 and 41 about the centre, and a corner
    boxes = [[c[0], c[0], c[1], c[1]] if c else [0, 0, 40, 30] for c in sets]
    hits = np.mean([box_hits(threshold_ious(cone, np.array([b]))) for b in boxes], axis=0)
    got = max_box_acc(hits * 100)
    # IoU (41/s)^2 and (s/101)^2 of a square of side s: both >= .3 for 55.3 <= s <= 74.9; at .5 and
    # .7 no side serves both
    assert got['MaxBoxAccV2_30'] == pytest.approx(200 / 3)
    assert got['MaxBoxAccV2_50'] == got['MaxBoxAccV2_70'] == pytest.approx(100 / 3)
    assert got['MaxBoxAcc'] == pytest.approx(100 / 3)
    level = int(got['MaxBoxAccV2_30_threshold'] * 255)
    side = np.count_nonzero((cone[112] * 255).astype(np.uint8) > level) + 1  # one pixel too wide
    assert 55 <= side <= 75
