"""Recall by groups and over the number of boxes, by hand and against loops."""

import itertools

import numpy as np
import pytest

from wsl_plugins.proposals import ProposalFile
from wsl_plugins.proposals.coverage import coverage, recall_curve
from wsl_plugins.proposals.ground_truth import Objects
from wsl_plugins.structures.box_iou import box_ious


def drawn(seed, count):
    corners = np.random.default_rng(seed).integers(0, 6, (count, 2, 2))
    boxes = np.sort(corners, axis=1) + [[[0, 0], [1, 1]]]
    return boxes.reshape(count, 4)


IMAGES = {'a': drawn(0, 6), 'b': drawn(1, 4), 'c': np.zeros((0, 4), int), 'd': drawn(2, 1)}
OBJECTS = {'a': drawn(3, 3), 'b': drawn(4, 2), 'c': drawn(5, 1), 'd': np.zeros((0, 4), int)}
BUDGETS, THRESHOLDS = (1, 2, 3, 4, 6, 9), (0.3, 0.5)


def slow_recall(subsets):
    """Share of the objects that one of the chosen boxes of their image finds, by threshold."""
    hits = [
        [any(box_ious([obj], [box])[0, 0] >= t for box in subsets[i]) for t in THRESHOLDS]
        for i, objects in OBJECTS.items()
        for obj in objects
    ]
    return np.mean(hits, axis=0)


def test_curve_of_scores_against_a_loop():
    scores = {i: np.random.default_rng(9).permutation(len(b)) // 2 for i, b in IMAGES.items()}
    got = recall_curve(ProposalFile.from_images(IMAGES, scores), OBJECTS, BUDGETS, THRESHOLDS)
    for row, budget in zip(got, BUDGETS, strict=True):
        best = {
            i: [boxes[n] for _, n in sorted((-score, n) for n, score in enumerate(scores[i]))][
                :budget
            ]
            for i, boxes in IMAGES.items()
        }
        assert row == pytest.approx(slow_recall(best))
    assert len(np.unique(got)) > 3 and 0 < got[-1, 0] < 1


def test_curve_without_scores_against_all_draws():
    """The mean over every choice of boxes."""
    got = recall_curve(ProposalFile.from_images(IMAGES), OBJECTS, BUDGETS, THRESHOLDS)
    for row, budget in zip(got, BUDGETS, strict=True):
        draws = [
            [list(c) for c in itertools.combinations(boxes, min(budget, len(boxes)))]
            for boxes in IMAGES.values()
        ]
        every = [slow_recall(dict(zip(IMAGES, d, strict=True))) for d in itertools.product(*draws)]
        assert row == pytest.approx(np.mean(every, axis=0))
    assert np.all(np.diff(got, axis=0) >= -1e-12) and 0 < got[0, 0] < got[-1, 0]


def test_groups_by_hand():
    """Areas of 1023, 1024 and 9216 pixels, shares of 10.23%, 10.24% and 92.16%."""
    objects = {
        'a': Objects(np.array([[0, 0, 33, 31], [0, 0, 32, 32]]), ['cat', 'dog'], (100, 100)),
        'b': Objects(np.array([[0, 0, 96, 96]]), ['dog'], (100, 100)),
        'c': Objects(np.array([[0, 0, 10, 10]]), ['cat'], None),
        'd': Objects(np.zeros((0, 4)), [], (5, 5)),
    }
    boxes = {'a': [[0, 0, 33, 31]], 'b': [[0, 0, 96, 72]], 'c': [], 'd': []}
    found = coverage(ProposalFile.from_images(boxes), objects)
    other = 32 * 31 / (33 * 31 + 32)
    total = {'objects': 4, 'recall@0.5': 0.75, 'recall@0.7': 0.75}
    assert found['all']['all'] == pytest.approx({**total, 'abo': (1 + other + 0.75) / 4})
    count = {k: {n: g['objects'] for n, g in found[k].items()} for k in found}
    assert count['area'] == {'small, < 32^2 px': 2, 'medium, < 96^2 px': 1, 'large': 1}
    assert count['image share'] == {'4-16%': 2, '>= 64%': 1}
    assert found['area']['large'] == pytest.approx(
        {'objects': 1, 'recall@0.5': 1, 'recall@0.7': 1, 'abo': 0.75}
    )
    assert found['class']['cat']['abo'] == pytest.approx(0.5)
    assert found['class']['dog']['abo'] == pytest.approx((other + 0.75) / 2)
    for function, nothing in ((coverage, objects['d']), (recall_curve, np.zeros((0, 4)))):
        with pytest.raises(ValueError, match='at least one object'):
            function(ProposalFile.from_images(boxes), {'d': nothing})
