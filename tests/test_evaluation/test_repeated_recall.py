import math

import numpy as np
import pytest
import torch

from wsl_plugins.evaluation.functional import repeated_recall

from mmdet.registry import METRICS


def iou(a, b):
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)]
    return width * height / (sum(areas) - width * height)


def loop(predictions, objects):
    """From the definition: predictions (box, score, label), objects (box, label)."""
    found = total = 0
    for box, label in objects:
        n = sum(1 for _, other in objects if other == label)
        if n > 1:
            own = sorted((p for p in predictions if p[2] == label), key=lambda p: -p[1])[:n]
            total += 1
            found += any(iou(p[0], box) >= 0.5 for p in own)
    return found, total


@pytest.mark.parametrize('seed', range(20))
def test_against_loop(seed):
    rng = np.random.default_rng(seed)

    def boxes(num):
        low = rng.integers(0, 12, (num, 2))
        return np.concatenate([low, low + rng.integers(4, 9, (num, 2))], axis=1)

    truth, labels = boxes(6), rng.integers(0, 3, 6)
    guesses, kinds = boxes(30), rng.integers(0, 3, 30)
    scores = rng.integers(0, 8, 30) / 8  # ties
    expected = loop(
        list(zip(guesses.tolist(), scores, kinds, strict=True)),
        list(zip(truth.tolist(), labels, strict=True)),
    )
    assert repeated_recall(guesses, scores, kinds, truth, labels) == expected


def test_the_first_of_equal_scores_are_the_best():
    two, count = np.array([[0, 0, 9, 9], [20, 0, 29, 9]]), 300
    guesses = np.tile([50, 50, 60, 60], (count, 1))
    guesses[[1, 3]] = two
    scores, zeros = np.arange(count) % 2 / 2, np.zeros(count, int)
    assert repeated_recall(guesses, scores, zeros, two, np.zeros(2, int)) == (2, 2)
    guesses[[3, 5]] = guesses[[5, 3]]
    assert repeated_recall(guesses, scores, zeros, two, np.zeros(2, int)) == (1, 2)


def evaluate(images):
    metric = METRICS.build(dict(type='wsl_plugins.RepeatedRecallMetric'))
    samples = [
        dict(
            pred_instances=dict(
                bboxes=torch.tensor(guesses).reshape(-1, 4).float(),
                scores=torch.linspace(1, 0, len(guesses) + 1)[:-1],
                labels=torch.zeros(len(guesses), dtype=torch.int64),
            ),
            gt_instances=dict(
                bboxes=torch.tensor(truth).float(), labels=torch.tensor(labels, dtype=torch.int64)
            ),
        )
        for guesses, truth, labels in images
    ]
    metric.process({}, samples)
    return metric.evaluate(len(images))


def test_by_hand():
    """The third box of two does not count, a single object does not, nothing found counts."""
    two = [[0, 0, 10, 10], [20, 0, 30, 10]]
    far = [50, 50, 60, 60]
    got = evaluate(
        [
            ([two[0], far, two[1]], two, [0, 0]),
            ([far], [two[0], two[1]], [0, 1]),
            ([], [*two, far], [0, 0, 0]),
        ]
    )
    assert got == {'repeated/recall': 20.0, 'repeated/objects': 5}


def test_no_repeated_object():
    got = evaluate([([[0, 0, 10, 10]], [[0, 0, 10, 10]], [0])])
    assert math.isnan(got['repeated/recall']) and got['repeated/objects'] == 0


def test_bad_threshold():
    with pytest.raises(ValueError, match=r'iou_thr must be in \(0, 1\], got 0'):
        METRICS.build(dict(type='wsl_plugins.RepeatedRecallMetric', iou_thr=0))
