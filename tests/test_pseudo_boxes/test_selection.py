"""Selections against slow loops, precision and recall against counting by hand."""

import numpy as np
import pytest

from wsl_plugins.files.formats.pseudo_box_file import PseudoBoxFile
from wsl_plugins.proposals.ground_truth import Objects
from wsl_plugins.pseudo_boxes.accuracy import box_accuracy
from wsl_plugins.pseudo_boxes.selection import (
    SELECTIONS,
    Adaptive,
    Diverse,
    Threshold,
    Top,
    make_selection,
)


def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def common(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0) * max(height, 0)


def iou(a, b):
    return common(a, b) / (area(a) + area(b) - common(a, b))


def apart(boxes, candidates, threshold):
    kept = []
    for i in candidates:
        if all(iou(boxes[i], boxes[j]) < threshold for j in kept):
            kept.append(i)
    return kept


def adaptive(boxes, scores, ratio, threshold, inside):
    kept = apart(boxes, [i for i, s in enumerate(scores) if s >= ratio * scores[0]], threshold)
    chosen = []
    for i in kept:
        held = [
            j
            for j in kept
            if area(boxes[j]) < area(boxes[i])
            and common(boxes[i], boxes[j]) >= inside * area(boxes[j])
        ]
        if i == 0 or len(held) < 2:
            chosen.append(i)
    return chosen


@pytest.fixture(params=range(20))
def detections(request):
    """Boxes on a coarse grid, where equal overlaps and boxes within boxes are frequent."""
    rng = np.random.default_rng(request.param)
    count = rng.integers(1, 60)
    start = rng.integers(0, 6, (count, 2)) * 10
    boxes = np.concatenate([start, start + rng.integers(1, 6, (count, 2)) * 10], axis=1)
    return boxes.astype(np.float64), np.sort(rng.integers(1, 10, count) / 10)[::-1]


def test_against_loops(detections):
    boxes, scores = detections
    assert Top(3, 0.4)(boxes, scores).tolist() == [i for i, s in enumerate(scores) if s >= 0.4][:3]
    above = [i for i, s in enumerate(scores) if s >= 0.6] or [0]
    assert Threshold(0.6)(boxes, scores).tolist() == above
    for share, threshold in ((0.15, 0.2), (0.5, 1 / 3), (1, 1)):
        best = list(range(max(1, int(share * len(boxes) + 1e-9))))
        found = Diverse(share, threshold)(boxes, scores).tolist()
        assert found == apart(boxes, best, threshold)
    for ratio, threshold, inside in ((0.5, 0.3, 0.85), (0.1, 0.5, 0.5), (1, 1, 1)):
        found = Adaptive(ratio, threshold, inside)(boxes, scores).tolist()
        assert found == adaptive(boxes, scores, ratio, threshold, inside)


def test_groups_are_met(detections):
    """The loop above would not see a difference if no group were ever left out."""
    boxes, scores = detections
    with_groups = apart(boxes, [i for i, s in enumerate(scores) if s >= 0.1 * scores[0]], 0.5)
    assert set(Adaptive(0.1, 0.5, 0.5)(boxes, scores)) <= set(with_groups)


def test_group_is_left_out_and_part_is_not():
    two = [[0, 0, 10, 10], [20, 0, 30, 10]]
    boxes, scores = np.array([*two, [0, 0, 30, 10]], float), np.array([0.9, 0.8, 0.7])
    assert Adaptive()(boxes, scores).tolist() == [0, 1]
    assert Adaptive()(boxes[[2, 0, 1]], scores).tolist() == [0]  # the best stays, parts overlap it
    whole = np.array([[0, 0, 10, 10], [0, 0, 30, 10]], float)
    assert Adaptive(nms_iou_thr=0.5)(whole, scores[:2]).tolist() == [0, 1]  # one alone is no group


@pytest.mark.parametrize('name', SELECTIONS)
def test_no_boxes_and_one(name):
    select = make_selection(name)
    assert select(np.zeros((0, 4)), np.zeros(0)).tolist() == []
    assert select(np.array([[0.0, 0, 5, 5]]), np.array([0.01])).tolist() == [0]


@pytest.mark.parametrize(
    ('name', 'options', 'message'),
    [
        ('top', dict(top=0), 'top must be at least 1, got 0'),
        ('top', dict(ratio=0.5), "ratio is no option of the selection 'top'"),
        ('threshold', dict(score_thr=1.5), r'score_thr must be in \[0, 1\], got 1.5'),
        ('mist', dict(top_ratio=0), r'top_ratio must be in \(0, 1\], got 0'),
        ('adaptive', dict(ratio=float('nan')), r'ratio must be in \(0, 1\], got nan'),
        ('adaptive', dict(score_thr=0.5), 'score_thr is no option'),
    ],
)
def test_bad_options(name, options, message):
    with pytest.raises(ValueError, match=message):
        make_selection(name, **options)


def pseudo(rows):
    return PseudoBoxFile.from_rows({'a.jpg': (90, 90), 'b.jpg': (90, 90)}, rows, {0: 'cat'}, {})


def test_accuracy_by_hand():
    objects = {
        'a': Objects(
            np.array([[0, 0, 10, 10], [40, 40, 60, 60], [0, 0, 9, 9]]), ['cat'] * 2 + ['x']
        ),
        'b': Objects(np.array([[0, 0, 10, 10]]), ['cat']),
    }
    rows = {
        'a.jpg': [
            (np.array(box, float), 0, 0.5)
            for box in ([0, 0, 10, 9], [0, 0, 10, 10], [70, 70, 80, 80], [40, 40, 60, 50])
        ],
        'b.jpg': [],
    }
    found = box_accuracy(pseudo(rows), objects)
    assert found == (4, 2, 4)  # the second is one more box of the same object; IoU 0.5 is enough
    assert found.precision == 0.5 and found.recall == 0.5
    assert box_accuracy(pseudo(rows), objects, 0.51) == (4, 1, 4)


def test_accuracy_names_what_does_not_fit():
    one = {'a': Objects(np.array([[0, 0, 10, 10]]), ['dog']), 'b': Objects(np.zeros((0, 4)), [])}
    rows = {'a.jpg': [(np.array([0.0, 0, 5, 5]), 0, 0.5)], 'b.jpg': []}
    with pytest.raises(ValueError, match=r"no object is of one of the classes \['cat'\]"):
        box_accuracy(pseudo(rows), one)
    with pytest.raises(ValueError, match="image 'b.jpg' is not among the 1"):
        box_accuracy(pseudo(rows), {'a': one['a']})
    with pytest.raises(ValueError, match='have no object'):
        box_accuracy(pseudo(rows), dict(one, a=one['b']))
