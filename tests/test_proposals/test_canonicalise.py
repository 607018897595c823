"""Canonical order against a slow loop."""

import numpy as np
import pytest

from wsl_plugins.proposals.boxes import canonicalise


def slow(boxes, scores, size, min_side):
    """One box at a time; the dictionary keeps the best score of equal boxes."""
    best = {}
    for box, score in zip(boxes, scores if scores is not None else [0] * len(boxes), strict=True):
        x1, y1, x2, y2 = (min(max(v, 0), s) for v, s in zip(box, size * 2, strict=True))
        if x2 - x1 >= max(min_side, 1) and y2 - y1 >= max(min_side, 1):
            best[x1, y1, x2, y2] = max(best.get((x1, y1, x2, y2), -np.inf), score)
    return sorted(best.items(), key=lambda item: (-item[1], item[0]))


@pytest.mark.parametrize('min_side', [0, 3])
@pytest.mark.parametrize('scored', [False, True])
def test_against_slow_loop(min_side, scored):
    generator = np.random.default_rng(0)
    boxes = generator.integers(-2, 9, (400, 4))
    scores = generator.integers(0, 4, 400) / 4 if scored else None
    expected = slow(boxes.tolist(), scores, (7, 6), min_side)
    got, got_scores = canonicalise(boxes, scores, (7, 6), min_side)
    assert len(expected) > 10
    assert got.tolist() == [list(box) for box, _ in expected]
    assert (got_scores is None) is not scored
    if scored:
        assert got_scores.tolist() == [score for _, score in expected]


def test_any_side_and_no_box():
    """Boxes narrower than a pixel stay by default; clipping keeps the type."""
    narrow = np.array([[0, 0, 0.25, 0.5]])
    assert canonicalise(narrow)[0].tolist() == narrow.tolist()
    assert canonicalise([])[0].shape == canonicalise(np.zeros((0, 4)))[0].shape == (0, 4)
    assert canonicalise(np.array([[0, 0, 9, 9]], np.uint16), None, (5, 5))[0].dtype == np.uint16


@pytest.mark.parametrize('scored', [False, True])
def test_order_of_the_rows_does_not_matter(scored):
    generator = np.random.default_rng(1)
    boxes = generator.integers(0, 5, (60, 4))
    scores = generator.integers(0, 3, 60) if scored else None
    order = generator.permutation(60)
    first = canonicalise(boxes, scores)
    second = canonicalise(boxes[order], scores[order] if scored else None)
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1]) if scored else second[1] is None


def test_limits_by_hand():
    boxes = np.array([[0, 0, 20, 20], [0, 0, 19, 20], [0, 0, 20, 19], [95, 0, 130, 50]])
    assert canonicalise(boxes, min_side=20)[0].tolist() == [[0, 0, 20, 20], [95, 0, 130, 50]]
    clipped = canonicalise(boxes, size=(100, 40), min_side=20)[0]
    assert clipped.tolist() == [[0, 0, 20, 20]]  # (95, 0, 100, 40) is 5 wide


def test_unsigned_boxes_without_area():
    assert canonicalise(np.array([[5, 0, 2, 3], [1, 1, 2, 2]], np.uint16))[0].tolist() == [
        [1, 1, 2, 2]
    ]


def test_no_boxes():
    boxes, scores = canonicalise(np.zeros((0, 4)), np.zeros(0), (10, 10), 2)
    assert boxes.shape == (0, 4) and scores.shape == (0,)
    assert canonicalise(np.zeros((0, 4)))[0].shape == (0, 4)
