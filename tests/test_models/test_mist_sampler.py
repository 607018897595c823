"""MIST's pseudo labels against a plain-loop transcription of algorithm 1."""

import math

import numpy as np
import pytest
import torch

from wsl_plugins.models.pseudo_labels import MISTSampler, OICRSampler, PCLSampler
from wsl_plugins.models.pseudo_labels.mist_sampler import top_indices


def iou(a, b):
    """In float32, as the boxes are, so that both sides of a threshold agree."""
    a, b = np.float32(a), np.float32(b)
    width = max(np.float32(0), min(a[2], b[2]) - max(a[0], b[0]))
    height = max(np.float32(0), min(a[3], b[3]) - max(a[1], b[1]))
    inter = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter
    return inter / max(union, np.float32(1e-6))


def slow_pick(boxes, scores, classes, p, tau, suppress_by, rounding):
    """Algorithm 1, one candidate at a time; classes in ascending order."""
    picked = []
    for c in classes:
        order = sorted(range(len(boxes)), key=lambda r: -scores[r][c])  # stable
        exact = p * len(boxes)
        count = {'floor': math.floor(exact + 1e-9), 'ceil': math.ceil(exact - 1e-9)}[rounding]
        candidates = order[: max(1, count)]
        kept = []
        for i, r in enumerate(candidates):
            rivals = kept if suppress_by == 'kept' else candidates[:i]
            if all(iou(boxes[r], boxes[q]) < np.float32(tau) for q in rivals):
                kept.append(r)
        picked += [(r, c) for r in kept]
    return picked


def slow_assign(boxes, scores, picked, num_classes, conflict, threshold=0.5):
    labels, weights, matched = [], [], []
    for box in boxes:
        overlaps = [iou(box, boxes[r]) for r, _ in picked]
        chosen = int(np.argmax(overlaps))  # first of equal ones
        foreground = overlaps[chosen] >= threshold
        if foreground and conflict == 'score':
            best = {}  # per class its pseudo box of highest IoU
            for index, (_, c) in enumerate(picked):
                if c not in best or overlaps[index] > overlaps[best[c]]:
                    best[c] = index
            top = -1.0
            for c in sorted(best):
                score = scores[picked[best[c]][0]][c]
                if overlaps[best[c]] >= threshold and score > top:
                    top, chosen = score, best[c]
        r, c = picked[chosen]
        labels.append(c if foreground else num_classes)
        weights.append(scores[r][c])
        matched.append(boxes[r])
    return labels, weights, matched


def random_bag(generator):
    """Boxes on a coarse grid (duplicates, zero areas, IoUs on the thresholds), tied scores."""
    num = int(torch.randint(1, 40, (1,), generator=generator))
    corner = torch.randint(0, 8, (num, 2), generator=generator)
    boxes = torch.cat([corner, corner + torch.randint(0, 7, (num, 2), generator=generator)], 1)
    scores = torch.randint(0, 6, (num, 4), generator=generator) / 8
    return boxes.float(), scores, torch.randint(0, 2, (4,), generator=generator)


@pytest.mark.parametrize('suppress_by', ['kept', 'all'])
@pytest.mark.parametrize('conflict', ['score', 'iou'])
@pytest.mark.parametrize('p, tau, rounding', [(0.15, 0.2, 'floor'), (0.5, 0.3, 'ceil')])
def test_equals_the_loop_on_random_bags(suppress_by, conflict, p, tau, rounding):
    generator = torch.Generator().manual_seed(0)
    sampler = MISTSampler(p, tau, rounding, suppress_by, conflict)
    for _ in range(250):
        boxes, scores, y = random_bag(generator)
        got = sampler(boxes, scores, y)
        lists = boxes.tolist(), scores.tolist()
        classes = y.nonzero().flatten().tolist()
        picked = slow_pick(*lists, classes, p, tau, suppress_by, rounding)
        assert list(zip(got.picked.tolist(), got.picked_labels.tolist(), strict=True)) == picked
        if not picked:
            assert (got.weights == 0).all() and (got.labels == 4).all()
            continue
        labels, weights, matched = slow_assign(*lists, picked, 4, conflict)
        assert got.labels.tolist() == labels
        assert got.weights.tolist() == weights
        assert got.matched_boxes.tolist() == matched


def test_conflict_goes_to_the_higher_score():
    """The last box overlaps the cat's pseudo box more, but the dog's scores higher."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 16], [0, 0, 10, 12]])
    scores = torch.tensor([[0.6, 0.1], [0.2, 0.8], [0.1, 0.1]])
    y = torch.tensor([1, 1])
    kinds = {c: MISTSampler(0.34, conflict=c)(boxes, scores, y) for c in ('score', 'iou')}
    assert kinds['score'].labels.tolist()[2] == 1 and kinds['iou'].labels.tolist()[2] == 0
    assert kinds['score'].weights[2] == 0.8 and kinds['iou'].weights[2] == 0.6


@pytest.mark.parametrize('values', [(0.25, 0.5), (0.25, 0.5, math.nan), (math.nan,)])
def test_top_indices_are_those_of_a_stable_sort(values):
    generator = torch.Generator().manual_seed(0)
    for _ in range(100):
        num, count = sorted(torch.randint(1, 30, (2,), generator=generator).tolist(), reverse=True)
        scores = torch.tensor(values)[torch.randint(0, len(values), (num,), generator=generator)]
        expected = scores.sort(descending=True, stable=True).indices[:count]
        assert torch.equal(top_indices(scores, count), expected)


@pytest.mark.parametrize('sampler', [OICRSampler, PCLSampler, MISTSampler])
def test_nan_scores_do_not_crash(sampler):
    """Half precision may overflow in a step that the loss scaler then skips."""
    boxes = random_bag(torch.Generator().manual_seed(3))[0]
    for share in (1, 2):
        scores = torch.rand(len(boxes), 2)
        scores[::share] = math.nan
        got = sampler()(boxes, scores, torch.tensor([1, 1]))
        assert len(got.picked) >= 2 and len(got.labels) == len(boxes) > 2


@pytest.mark.parametrize('sampler', [OICRSampler, PCLSampler, MISTSampler])
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(sampler, dtype):
    """On whole pixels and scores that the type holds; no gradient flows to the teacher."""
    for seed in range(5):
        boxes, scores, _ = random_bag(torch.Generator().manual_seed(seed))
        y, boxes = torch.tensor([1, 0, 1, 1]), (100 * boxes).to(dtype)  # areas that no half holds
        got = sampler()(boxes, scores.to(dtype).requires_grad_(), y)
        expected = sampler()(boxes.float(), scores, y)
        for mine, theirs in zip(got, expected, strict=True):
            assert not mine.requires_grad
            torch.testing.assert_close(mine, theirs, rtol=0, atol=0)


def test_several_instances_where_oicr_finds_one():
    boxes = torch.tensor([[0.0, 0, 10, 10], [40, 0, 50, 10], [80, 0, 90, 10], [0, 0, 100, 50]])
    scores = torch.tensor([[0.5], [0.3], [0.2], [0.1]])
    got = MISTSampler(top_ratio=0.75)(boxes, scores, torch.tensor([1]))
    assert got.picked.tolist() == [0, 1, 2] and got.labels.tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize('num, y', [(0, [1, 0]), (3, [0, 0]), (1, [1, 1]), (5, [1, 0])])
def test_small_bags_and_equal_scores(num, y):
    boxes = random_bag(torch.Generator().manual_seed(0))[0][:1].repeat(num, 1)
    got = MISTSampler()(boxes, torch.full((num, 2), 0.25), torch.tensor(y))
    assert len(got.labels) == num and got.weights.isfinite().all()
    assert len(got.picked) == (sum(y) if num else 0)


def test_match_of_score_zero_beats_no_match():
    boxes = torch.tensor([[50.0, 0, 60, 10], [0, 0, 10, 10]])
    scores = torch.tensor([[0.1, 0.0], [0.6, 0.0]])
    got = MISTSampler(top_ratio=0.5)(boxes, scores, torch.tensor([1, 1]))
    assert got.picked.tolist() == [1, 0] and got.labels.tolist() == [1, 0]


def test_rounding_and_defaults():
    """k of 0.15 x 10 = 1.5 and 0.15 x 17 = 2.55 proposals that do not overlap."""
    picked = {}
    for rounding in ('floor', 'round', 'ceil'):
        sampler = MISTSampler(rounding=rounding)
        for num in (10, 17):
            start = torch.arange(num) * 20.0
            boxes = torch.stack([start, 0 * start, start + 10, 0 * start + 10], 1)
            got = sampler(boxes, torch.rand(num, 1), torch.tensor([1]))
            picked[rounding, num] = len(got.picked)
    assert picked['floor', 10] == 1 and picked['round', 10] == 2 and picked['ceil', 10] == 2
    assert picked['floor', 17] == 2 and picked['round', 17] == 3 and picked['ceil', 17] == 3


@pytest.mark.parametrize(
    'option, message',
    [
        (dict(rounding='up'), "rounding must be one of .*, got 'up'"),
        (dict(suppress_by='none'), "suppress_by must be one of .*, got 'none'"),
        (dict(conflict='first'), "conflict must be one of .*, got 'first'"),
        (dict(top_ratio=0.0), r'top_ratio must be in \(0, 1\], got 0.0'),
        (dict(top_ratio=1.5), r'top_ratio must be in \(0, 1\], got 1.5'),
        (dict(nms_iou_thr=0.0), r'nms_iou_thr must be in \(0, 1\], got 0.0'),
    ],
)
def test_bad_options(option, message):
    with pytest.raises(ValueError, match=message):
        MISTSampler(**option)


def test_boxes_that_end_with_their_last_pixel():
    """Boxes of 1 x 1 and 2 x 1 pixels share one of two; else as boxes that end a pixel further."""
    boxes = torch.tensor([[3.0, 3, 3, 3], [3, 3, 4, 3], [9, 9, 9, 9]])
    scores, y = torch.tensor([[0.9], [0.2], [0.1]]), torch.tensor([1])
    got = MISTSampler(plus_one=True)(boxes, scores, y)
    assert got.picked.tolist() == [0] and got.labels.tolist() == [0, 0, 1]
    assert got.matched_boxes[1].tolist() == [3, 3, 3, 3]
    assert MISTSampler()(boxes, scores, y).labels.tolist() == [1, 1, 1]  # no area: no IoU
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        boxes, scores, y = random_bag(generator)
        got = MISTSampler(plus_one=True)(boxes, scores, y)
        further = MISTSampler()(boxes + torch.tensor([0, 0, 1, 1]), scores, y)
        for name in ('labels', 'weights', 'match', 'picked', 'picked_labels'):
            assert torch.equal(getattr(got, name), getattr(further, name))
        if len(got.picked):
            assert torch.equal(got.matched_boxes, boxes[got.picked[got.match]])
