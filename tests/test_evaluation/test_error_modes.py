"""Error modes against a loop over boxes and cases by hand."""

import numpy as np
import pytest

from wsl_plugins.evaluation.functional.corloc import corloc, top_box_iou
from wsl_plugins.evaluation.functional.error_modes import (
    MODES,
    count_error_modes,
    error_modes,
    mode_frequencies,
)

CORRECT, INSIDE, CONTAINS, PARTIAL, NO_OVERLAP = range(5)


def pixels(box):
    """Unit cells that a box of whole pixels covers."""
    x1, y1, x2, y2 = box
    return {(x, y) for x in range(x1, x2) for y in range(y1, y2)}


def loop_mode(box, objects, iou_thr=0.5):
    """One hypothesis by sets of pixels, written from the text of the appendix."""
    own, best, best_iou = pixels(box), set(), 0.0
    for other in map(pixels, objects):
        iou = len(own & other) / len(own | other)
        if iou > best_iou:
            best, best_iou = other, iou
    if best_iou > iou_thr:
        return 'correct'
    if not own & best:
        return 'no_overlap'
    if own <= best:
        return 'inside'
    if best <= own:
        return 'contains'
    return 'partial'


def random_boxes(rng, num, side=12):
    low = rng.integers(0, side - 2, (num, 2))
    return np.concatenate([low, low + rng.integers(1, side // 2, (num, 2))], axis=1)


def loop_counts(boxes, scores, labels, gt_boxes, gt_labels, num_classes, score_thr):
    counts = [[0] * 5 for _ in range(num_classes)]
    for label in range(num_classes):
        objects = [box for box, other in zip(gt_boxes, gt_labels, strict=True) if other == label]
        own = [
            (score, box)
            for box, score, other in zip(boxes, scores, labels, strict=True)
            if other == label
        ]
        if score_thr is not None:
            chosen = [box for score, box in own if score >= score_thr]
        elif not objects:
            chosen = []
        elif not own:
            counts[label][4] += 1
            chosen = []
        else:
            best = max(score for score, _ in own)
            chosen = [next(box for score, box in own if score == best)]
        for box in chosen:
            counts[label][MODES.index(loop_mode(box, objects))] += 1
    return counts


def test_by_hand():
    objects = [[10, 10, 30, 30]]
    cases = {
        (10, 10, 30, 30): CORRECT,
        (10, 10, 30, 21): CORRECT,  # 220 / 400
        (10, 10, 30, 20): INSIDE,  # an IoU of exactly 0.5 is not enough; edges touch
        (12, 12, 20, 20): INSIDE,
        (0, 0, 60, 60): CONTAINS,
        (10, 10, 50, 30): CONTAINS,  # 400 / 800; edges touch
        (0, 0, 20, 20): PARTIAL,
        (0, 15, 60, 25): PARTIAL,  # crosses it
        (30, 10, 50, 30): NO_OVERLAP,  # touches an edge
        (50, 50, 60, 60): NO_OVERLAP,
        (15, 15, 15, 20): NO_OVERLAP,  # without area
    }
    modes = error_modes(np.array(list(cases)), np.array(objects))
    assert modes.tolist() == list(cases.values())
    assert error_modes(np.array([[10, 10, 30, 20]]), np.array(objects), 0.49).tolist() == [CORRECT]


def test_several_objects():
    """The object of greatest IoU decides, the first of equals."""
    part, crossed = [20, 20, 40, 40], [0, 0, 12, 30]
    box = np.array([[10, 10, 45, 45]])
    # 400 of 1225 with the part that it contains, 40 of 1545 with the other
    assert error_modes(box, np.array([crossed, part])).tolist() == [CONTAINS]
    # equal IoU of 25 / 125 with the object around it and with the one beside it
    around, beside = [0, 0, 25, 5], [0, 0, 5, 15]
    box = np.array([[0, 0, 5, 5]])
    beside_equal = [[0, 0, 25, 5], [3, 0, 10, 5]]
    assert error_modes(box, np.array([around, beside])).tolist() == [INSIDE]  # 25/75 with beside
    assert error_modes(box, np.array(beside_equal)).tolist() == [INSIDE]  # 0.2 and 10/50 = 0.2
    assert error_modes(box, np.array(beside_equal[::-1])).tolist() == [PARTIAL]
    for nothing in (np.zeros((0, 4)), []):
        assert error_modes(box, nothing).tolist() == [NO_OVERLAP]
        assert error_modes(nothing, np.array([around])).shape == (0,)


@pytest.mark.parametrize('seed', range(5))
def test_modes_against_loop(seed):
    rng = np.random.default_rng(seed)
    seen = set()
    for _ in range(20):
        boxes, objects = random_boxes(rng, 30), random_boxes(rng, rng.integers(0, 4))
        expected = [loop_mode(box, objects) for box in boxes]
        assert [MODES[i] for i in error_modes(boxes, objects)] == expected
        seen.update(expected)
    assert seen == set(MODES)


@pytest.mark.parametrize('score_thr', [None, 0.5])
@pytest.mark.parametrize('seed', range(3))
def test_counts_against_loop(seed, score_thr):
    rng = np.random.default_rng(seed)
    total = np.zeros((5, 5), np.int64)
    rows = []
    for _ in range(40):
        n, m = rng.integers(0, 12), rng.integers(0, 5)
        args = (
            random_boxes(rng, n),
            rng.integers(0, 5, n) / 4,  # ties, and scores of exactly 0.5
            rng.integers(0, 4, n),
            random_boxes(rng, m),
            rng.integers(0, 4, m),  # none of the last class
        )
        counts = count_error_modes(*args, 5, score_thr)
        assert counts.tolist() == loop_counts(*args, 5, score_thr)
        total += counts
        rows.append(top_box_iou(*args, 5))
    shares = mode_frequencies(total)
    np.testing.assert_allclose(shares[:4].sum(axis=1), 1)
    assert np.isnan(shares[4]).all()
    np.testing.assert_allclose(shares[5], shares[:4].mean(axis=0))
    if score_thr is None:  # one hypothesis per image and class; CorLoc counts an IoU of 0.5 too
        np.testing.assert_allclose(shares[:4, 0], corloc(np.array(rows), 0.5 + 1e-9)[:4])


def test_frequencies_of_one_and_of_nothing():
    shares = mode_frequencies(np.array([[0, 1, 0, 0, 0], [0, 0, 0, 0, 0]]))
    assert shares[0].tolist() == shares[2].tolist() == [0, 1, 0, 0, 0]
    with pytest.raises(ValueError, match='error modes of no hypothesis at all'):
        mode_frequencies(np.zeros((3, 5), int))
