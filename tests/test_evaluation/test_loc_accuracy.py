"""Top-k and GT-known Loc as functions."""

import numpy as np
import pytest

from wsl_plugins.evaluation.functional.loc_accuracy import best_iou, class_rank, loc_accuracy


def test_rank_against_sorting():
    rng = np.random.default_rng(0)
    for _ in range(50):
        scores = rng.integers(0, 4, 9) / 4  # with equal scores
        order = sorted(range(9), key=lambda c: (-scores[c], c))
        assert [class_rank(scores, c) for c in order] == list(range(9))


def test_rank_with_nan():
    nan = np.nan
    assert class_rank(np.array([nan, nan, nan]), 1) == 3
    assert class_rank(np.array([nan, 0.1, 0.5]), 0) == 3
    assert class_rank(np.array([nan, 0.1, 0.5]), 1) == 1


@pytest.mark.parametrize('label', [-1, 3])
def test_rank_of_unknown_class(label):
    with pytest.raises(ValueError, match=f'class {label} has no score: there are 3'):
        class_rank(np.zeros(3), label)


def test_iou_by_hand():
    """Exclusive ends: 10 x 10 against 10 x 6 is 0.6; touching boxes do not overlap."""
    objects = np.array([[0, 0, 10, 6], [10, 0, 20, 10], [40, 40, 50, 50]])
    assert best_iou(np.array([0, 0, 10, 10]), objects) == pytest.approx(0.6)
    assert best_iou(np.array([0, 0, 10, 10]), objects[1:]) == 0
    assert best_iou(np.array([5, 0, 15, 6]), objects) == pytest.approx(30 / 90)
    assert best_iou(np.array([40.5, 40, 45.5, 50]), objects) == pytest.approx(0.5)


def test_degenerate_boxes():
    point = np.array([[3, 3, 3, 3]])
    assert best_iou(point[0], point) == 0
    assert best_iou(np.array([9, 9, 2, 2]), np.array([[0, 0, 10, 10]])) == 0  # reversed
    assert best_iou(np.array([np.nan] * 4), np.array([[0, 0, 10, 10]])) == 0
    with pytest.raises(ValueError, match='without any box'):
        best_iou(point[0], np.zeros((0, 4)))


def test_accuracies_by_hand():
    """Five images, three thresholds with 2, 3, 3 right boxes: the second is the first best."""
    hits = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1], [0, 1, 1], [0, 0, 0]], dtype=bool)
    ranks = np.array([0, 0, 1, 6, 0])
    got, index = loc_accuracy(hits, ranks, num_classes=10)
    assert index == 1
    assert got == {'gt_known_loc': 60, 'top1_loc': 20, 'top5_loc': 40}
    got, _ = loc_accuracy(hits, ranks, num_classes=10, topk=(2, 7))
    assert got == {'gt_known_loc': 60, 'top2_loc': 40, 'top7_loc': 60}


def test_fewer_classes_than_k():
    """All 3 classes are among the top 5, but for a score that is no number (rank 3)."""
    hits = np.ones((4, 1), dtype=bool)
    got, _ = loc_accuracy(hits, np.array([0, 1, 2, 3]), num_classes=3)
    assert got == {'gt_known_loc': 100, 'top1_loc': 25, 'top5_loc': 75}
