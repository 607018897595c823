"""Which images are doubtful: against sums and against every way to pair boxes."""

from itertools import permutations

import numpy as np
import pytest

from wsl_plugins.pseudo_boxes import PseudoBoxFile
from wsl_plugins.pseudo_boxes.doubt import disagreement, uncertainty
from wsl_plugins.structures.box_iou import box_ious

SIZES = dict.fromkeys(('a.jpg', 'b.jpg', 'c.jpg'), (100, 80))
CLASSES = {0: 'cat', 1: 'dog'}


def boxes(rows, classes=CLASSES, corrected=()):
    return PseudoBoxFile.from_rows(SIZES, rows, classes, {}, corrected)


def random_rows(rng):
    rows = {}
    for name in SIZES:
        start = rng.uniform(0, 60, (rng.integers(0, 4), 2))
        found = np.hstack([start, start + rng.uniform(5, 20, start.shape)])
        rows[name] = [(box, int(rng.integers(2)), rng.uniform()) for box in found]
    return rows


def slow_disagreement(one, two):
    """Sum over classes of 1 - 2 * best sum of IoUs over all pairings / number of boxes."""
    total = 0
    for name in CLASSES.values():
        first, second = (
            [box for box, label, _ in rows if classes[label] == name]
            for rows, classes in (one, two)
        )
        if len(first) > len(second):
            first, second = second, first
        if second:
            ious = box_ious(np.reshape(first, (-1, 4)), np.array(second))
            places = permutations(range(len(second)), len(first))
            best = max(sum(ious[i, j] for i, j in enumerate(place)) for place in places)
            total += 1 - 2 * best / (len(first) + len(second))
    return total


def test_disagreement_is_that_of_the_best_pairs():
    rng = np.random.default_rng(0)
    swapped = {0: 'dog', 1: 'cat'}  # classes are told by their names
    for _ in range(20):
        one, two = random_rows(rng), random_rows(rng)
        found = disagreement(boxes(one), boxes(two, swapped))
        for name in SIZES:
            slow = slow_disagreement((one[name], CLASSES), (two[name], swapped))
            assert found[name] == pytest.approx(slow, abs=1e-12)


def test_extremes():
    rng = np.random.default_rng(1)
    rows = {name: [((5, 5, 50, 40), 0, 0.5), ((60, 5, 90, 70), 1, 0.5)] for name in SIZES}
    same = disagreement(boxes(rows), boxes(rows))
    assert list(same) == list(SIZES) and set(same.values()) == {0}
    assert set(disagreement(boxes(rows), boxes({})).values()) == {2}  # both classes
    assert set(disagreement(boxes({}), boxes({})).values()) == {0}
    rows = random_rows(rng)
    for name, doubt in uncertainty(boxes(rows)).items():
        assert doubt == pytest.approx(sum(1 - score for _, _, score in rows[name]))


def test_corrected_images_are_not_asked_for_again():
    assert list(uncertainty(boxes({}, corrected=['b.jpg']))) == ['a.jpg', 'c.jpg']
    assert list(disagreement(boxes({}, corrected=['b.jpg']), boxes({}))) == ['a.jpg', 'c.jpg']


@pytest.mark.parametrize('score', [float('nan'), 1.5, -0.5])
def test_scores_that_are_no_probabilities(score):
    rows = {'a.jpg': [((5, 5, 50, 40), 0, score)]}
    with pytest.raises(ValueError, match=r"image 'a\.jpg' has a box without a score in \[0, 1\]"):
        uncertainty(boxes(rows))
    assert uncertainty(boxes(rows, corrected=['a.jpg'])) == {'b.jpg': 0, 'c.jpg': 0}
