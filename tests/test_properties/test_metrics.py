"""What holds for the metrics, whatever the predictions."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import box_iou as torchvision_iou

import wsl_plugins  # noqa: F401  (before mmdet: it stands in for missing compiled ops)
from wsl_plugins.evaluation.functional.box_accuracy import (
    CURVES,
    box_hits,
    max_box_acc,
    threshold_ious,
)
from wsl_plugins.evaluation.functional.corloc import corloc, top_box_iou
from wsl_plugins.evaluation.functional.loc_accuracy import best_iou, class_rank, loc_accuracy
from wsl_plugins.evaluation.functional.pixel_ap import pixel_ap, score_histograms
from wsl_plugins.evaluation.metrics import WSODVOCMetric
from wsl_plugins.structures.box_iou import box_ious

from mmdet.evaluation.functional import mean_ap

CLASSES = 3
SIDE = 12
THRESHOLDS = np.arange(0, 1, 0.05)


@st.composite
def box(draw, side=40):
    """xyxy, whole pixels, with area."""
    x1, y1 = (draw(st.integers(0, side - 1)) for _ in range(2))
    return x1, y1, draw(st.integers(x1 + 1, side)), draw(st.integers(y1 + 1, side))


def boxes(rows):
    return np.array(rows, np.float64).reshape(-1, 4)


@st.composite
def images(draw):
    """Per image, predicted boxes, scores and labels, true boxes and labels.

    Scores differ, and so do the objects of an image: two in one place cannot both be found.
    """
    label = st.integers(0, CLASSES - 1)
    found = st.lists(st.tuples(box(), label), max_size=4)
    true = st.lists(st.tuples(box(), label), max_size=4, unique=True)
    drawn = draw(st.lists(st.tuples(found, true), min_size=1, max_size=4))
    count = sum(len(found) for found, _ in drawn)
    scores = iter(draw(st.permutations(range(1, count + 1))))
    return [
        (
            boxes([b for b, _ in found]),
            np.array([next(scores) / (count + 1) for _ in found]),
            np.array([c for _, c in found], int),
            boxes([b for b, _ in true]),
            np.array([c for _, c in true], int),
        )
        for found, true in drawn
    ]


def corlocs(data):
    return corloc(np.stack([top_box_iou(*image, CLASSES) for image in data]))


def perfect(data):
    """Every object is found with a score of its own."""
    return [
        (true, 1 / (2.0 + np.arange(len(true))), labels, true, labels) for *_, true, labels in data
    ]


@given(data=images(), order=st.randoms())
def test_corloc(data, order):
    values = corlocs(data)
    present = {c for *_, labels in data for c in labels}
    for label in range(CLASSES):
        assert (label in present) != np.isnan(values[label])
    assert np.nanmin([*values, 1]) >= 0 and np.nanmax([*values, 0]) <= 1
    assert set(corlocs(perfect(data))[sorted(present)]) <= {1.0}
    moved = order.sample(data, len(data))
    np.testing.assert_allclose(corlocs(moved), values)
    # only the best box of a class counts, wherever it stands
    worse = [
        (np.concatenate([f + 99, f]), np.concatenate([s - 1, s]), np.tile(c, 2), *true)
        for f, s, c, *true in data
    ]
    np.testing.assert_allclose(corlocs(worse), values)


@given(data=images())
def test_corloc_falls_as_the_threshold_rises(data):
    ious = np.stack([top_box_iou(*image, CLASSES) for image in data])
    rows = np.stack([corloc(ious, threshold) for threshold in (0.1, 0.3, 0.5, 0.7, 1.0)])
    assert not (np.diff(rows, axis=0) > 0).any()


class Serial:
    """In place of the processes of mmdet's average precision."""

    def __init__(self, count):
        pass

    def starmap(self, function, arguments):
        return [function(*row) for row in arguments]

    def close(self):
        pass


@pytest.fixture(scope='module')
def one_process():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mean_ap, 'Pool', Serial)
        patch.setattr(mean_ap, 'print_map_summary', lambda *args, **kwargs: None)
        yield


def voc_map(data, mode):
    metric = WSODVOCMetric(eval_mode=mode)
    metric.dataset_meta = dict(classes=('a', 'b', 'c'), dataset_type=None)
    for found, scores, labels, true, true_labels in data:
        found, scores, labels, true, true_labels = (
            torch.from_numpy(value) for value in (found, scores, labels, true, true_labels)
        )
        sample = dict(
            pred_instances=dict(bboxes=found.float(), scores=scores, labels=labels),
            gt_instances=dict(bboxes=true.float(), labels=true_labels),
            ignored_instances=dict(bboxes=torch.zeros(0, 4), labels=true_labels[:0]),
        )
        metric.process({}, [sample])
    return metric.evaluate(len(data))['pascal_voc/mAP']


@pytest.mark.parametrize('mode', ['11points', 'area'])
@settings(max_examples=20)
@given(data=images(), order=st.randoms())
def test_average_precision(mode, one_process, data, order):
    value = voc_map(data, mode)
    assert 0 <= value <= 1
    if any(len(labels) for *_, labels in data):
        assert voc_map(perfect(data), mode) == pytest.approx(1)
    nothing = np.zeros(0)
    empty = (boxes([]), nothing, nothing.astype(int), boxes([]), nothing.astype(int))
    assert voc_map([*data, empty], mode) == pytest.approx(value)
    assert voc_map(order.sample(data, len(data)), mode) == pytest.approx(value)


@given(one=box(), others=st.lists(box(), min_size=1, max_size=5))
def test_ious(one, others):
    array = boxes(others)
    expected = torchvision_iou(torch.from_numpy(boxes([one])), torch.from_numpy(array))[0].numpy()
    np.testing.assert_allclose(box_ious(boxes([one]), array)[0], expected)
    assert best_iou(np.array(one), array) == pytest.approx(expected.max())
    # both ends inside: that of boxes a pixel larger
    larger = boxes([one]) + [0, 0, 1, 1]
    expected = torchvision_iou(torch.from_numpy(larger), torch.from_numpy(array + [0, 0, 1, 1]))
    np.testing.assert_allclose(box_ious(boxes([one]), array, plus_one=True), expected)
    for a, b in zip([one] * len(others), others, strict=True):
        assert box_ious(boxes([a]), boxes([b])) == box_ious(boxes([b]), boxes([a]))
        assert (box_ious(boxes([a]), boxes([b])) == 1) == (a == b)


@given(scores=st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4]), min_size=1, max_size=8))
def test_ranks_of_all_classes(scores):
    scores = np.array(scores)
    ranks = [class_rank(scores, label) for label in range(len(scores))]
    assert sorted(ranks) == [*range(len(scores))]
    assert [scores[ranks.index(rank)] for rank in range(len(scores))] == sorted(scores)[::-1]


@given(
    hits=st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=8),
    data=st.data(),
)
def test_loc_accuracies(hits, data):
    hits = np.array(hits)
    ranks = np.array([data.draw(st.integers(0, 9)) for _ in hits])
    found, best = loc_accuracy(hits, ranks, 10, (1, 5, 10))
    order = [found[name] for name in ('top1_loc', 'top5_loc', 'top10_loc', 'gt_known_loc')]
    assert order == sorted(order) and 0 <= order[0] and order[-1] <= 100
    assert order[2] == order[3] == pytest.approx(100 * hits.mean(axis=0).max())
    moved = data.draw(st.permutations(range(len(hits))))
    again, same = loc_accuracy(hits[moved], ranks[moved], 10, (1, 5, 10))
    assert again == pytest.approx(found) and same == best


MAPS = st.lists(st.integers(0, 5), min_size=SIDE * SIDE, max_size=SIDE * SIDE)
OBJECTS = st.lists(box(SIDE - 1), min_size=1, max_size=2)


def score_map(levels):
    return np.array(levels).reshape(SIDE, SIDE) / 5


@given(data=st.lists(st.tuples(MAPS, OBJECTS), min_size=1, max_size=3), order=st.randoms())
def test_box_accuracies(data, order):
    def curves(rows):
        ious = [threshold_ious(score_map(m), np.array(own), THRESHOLDS) for m, own in rows]
        for one in ious:  # version 2 takes the best contour, version 1 the largest
            assert (one[1] >= one[0]).all() and (one >= 0).all() and (one <= 1).all()
        return 100 * np.mean([box_hits(one) for one in ious], axis=0)

    found = curves(data)
    accuracy = dict(zip(CURVES, found, strict=True))
    assert (accuracy['BoxAccV2_30'] >= accuracy['BoxAccV2_50']).all()
    assert (accuracy['BoxAccV2_50'] >= accuracy['BoxAccV2_70']).all()
    assert (accuracy['BoxAccV2_50'] >= accuracy['BoxAcc']).all()
    best = max_box_acc(found, THRESHOLDS)
    assert best['MaxBoxAcc'] <= best['MaxBoxAccV2_50']
    assert best['MaxBoxAccV2_70'] <= best['MaxBoxAccV2'] <= best['MaxBoxAccV2_30']
    np.testing.assert_allclose(curves(order.sample(data, len(data))), found)


@given(own=box(SIDE - 1))
def test_a_map_that_fills_its_box(own):
    """The published evaluator takes the pixel behind a contour as the end, which is inside."""
    x1, y1, x2, y2 = own
    filled = np.zeros((SIDE, SIDE))
    filled[y1:y2, x1:x2] = 1
    ious = threshold_ious(filled, np.array([own]), THRESHOLDS)
    assert (ious == 1).all()
    assert max_box_acc(100 * box_hits(ious), THRESHOLDS)['MaxBoxAccV2'] == 100


MASKS = st.lists(st.sampled_from([0, 0, 1, 255]), min_size=SIDE * SIDE, max_size=SIDE * SIDE)


def pxap(data, levels):
    histograms = sum(score_histograms(levels[np.array(m)].reshape(SIDE, SIDE),
                                      np.array(mask).reshape(SIDE, SIDE))
                     for m, mask in data)  # fmt: skip
    return pixel_ap(histograms)


@given(
    data=st.lists(st.tuples(MAPS, MASKS), min_size=1, max_size=3),
    other=st.lists(st.integers(0, 99), min_size=6, max_size=6, unique=True),
    order=st.randoms(),
)
def test_pixel_average_precision(data, other, order):
    data[0][1][0] = 1  # some pixel is of an object
    value = pxap(data, np.arange(6) / 5)
    assert 0 <= value <= 100
    # only the order of the scores of all images counts; bins are narrower than these steps
    assert pxap(data, np.array(sorted(other)) / 100) == pytest.approx(value)
    assert pxap(order.sample(data, len(data)), np.arange(6) / 5) == pytest.approx(value)
    # ignored pixels may have any score
    hidden = [([5 if k == 255 else v for v, k in zip(m, mask, strict=True)], mask)
              for m, mask in data]  # fmt: skip
    assert pxap(hidden, np.arange(6) / 5) == pytest.approx(value)


@given(masks=st.lists(MASKS, min_size=1, max_size=3))
def test_best_and_worst_pixels(masks):
    """All objects above the rest: 100. All alike: the share of the objects."""
    masks[0][0] = 1
    best = [([5 if v == 1 else 0 for v in mask], mask) for mask in masks]
    assert pxap(best, np.arange(6) / 5) == pytest.approx(100)
    pixels = [v for mask in masks for v in mask if v != 255]
    alike = [([3] * len(mask), mask) for mask in masks]
    expected = 100 * pixels.count(1) / len(pixels)
    assert pxap(alike, np.arange(6) / 5) == pytest.approx(expected)
