"""What holds for the pseudo labels of OICR, MIST and PCL, whatever the proposals."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import wsl_plugins  # noqa: F401  (before mmdet: it stands in for missing compiled ops)
from wsl_plugins.models.pseudo_labels import MISTSampler, OICRSampler, PCLSampler
from wsl_plugins.models.pseudo_labels.pcl_sampler import kmeans_1d

SAMPLERS = {
    'oicr': OICRSampler(),
    'mist': MISTSampler(top_ratio=0.5),
    'mist-published-code': MISTSampler(top_ratio=1.0, suppress_by='all', conflict='iou'),
    'pcl': PCLSampler(),
    'pcl-large-clusters': PCLSampler(kmeans_groups=1, graph_iou_thr=0.1),
}


@st.composite
def bags(draw, min_boxes=0):
    """Boxes (R, 4) of whole pixels, scores (R, C) that all differ, image labels (C,)."""
    count, classes = draw(st.integers(min_boxes, 14)), draw(st.integers(1, 4))
    start = st.tuples(st.integers(0, 40), st.integers(0, 40))
    side = st.tuples(st.integers(1, 30), st.integers(1, 30))
    rows = draw(st.lists(st.tuples(start, side), min_size=count, max_size=count))
    boxes = [(x, y, x + w, y + h) for (x, y), (w, h) in rows]
    order = draw(st.permutations(range(count * classes)))
    scores = (torch.tensor(order).reshape(count, classes) + 1) / (count * classes + 1)
    labels = draw(st.lists(st.integers(0, 1), min_size=classes, max_size=classes))
    return torch.tensor(boxes).reshape(-1, 4).float(), scores, torch.tensor(labels)


def iou(one, other):
    """IoU by counting pixels."""
    a, b = np.zeros((2, 72, 72), bool)
    for mask, (x1, y1, x2, y2) in ((a, one), (b, other)):
        mask[int(y1) : int(y2), int(x1) : int(x2)] = True
    return (a & b).sum() / (a | b).sum()


@pytest.mark.parametrize('name', SAMPLERS)
@given(bag=bags())
def test_answer_fits_the_question(name, bag):
    boxes, scores, image_labels = bag
    count, classes = scores.shape
    found = SAMPLERS[name](boxes, scores, image_labels)
    assert found.labels.shape == found.weights.shape == found.match.shape == (count,)
    assert found.labels.dtype == torch.int64 and found.matched_boxes.shape == (count, 4)
    assert found.weights.isfinite().all() and (found.weights >= 0).all()
    present = set(image_labels.nonzero().flatten().tolist())
    assert set(found.labels.tolist()) <= present | {classes}
    assert set(found.picked_labels.tolist()) <= present
    assert len(found.picked) == len(found.picked_labels)
    assert all(0 <= row < count for row in found.picked.tolist())
    if not (count and present):
        assert (found.labels == classes).all() and (found.weights == 0).all()
        assert len(found.picked) == 0 and torch.equal(found.matched_boxes, boxes)
        return
    picked, picked_labels = found.picked[found.match], found.picked_labels[found.match]
    assert torch.equal(found.matched_boxes, boxes[picked])
    # a cluster of PCL scores as its best member, the others as the box that is picked
    expected = scores[picked, picked_labels]
    weighted = found.weights > 0
    if name.startswith('pcl'):
        assert (found.weights[weighted] >= expected[weighted]).all()
    else:
        assert torch.equal(found.weights, expected)
    for row, label in enumerate(found.labels.tolist()):
        overlap = iou(boxes[row], found.matched_boxes[row])
        if label < classes:
            assert label == picked_labels[row] and overlap >= 0.5
        elif name == 'mist':  # the best one is what decides, whoever it is matched with
            assert max(iou(boxes[row], boxes[p]) for p in found.picked) < 0.5
        else:
            assert overlap <= 0.5


@given(bag=bags(min_boxes=1))
def test_oicr_picks_the_best_that_is_left(bag):
    boxes, scores, image_labels = bag
    left, expected = set(range(len(boxes))), []
    for label in image_labels.nonzero().flatten().tolist():
        if left:
            expected.append((max(left, key=lambda row: scores[row, label]), label))
            left.remove(expected[-1][0])
    found = OICRSampler()(boxes, scores, image_labels)
    assert list(zip(found.picked.tolist(), found.picked_labels.tolist(), strict=True)) == expected


@given(bag=bags(min_boxes=1), ratio=st.sampled_from([0.1, 0.3, 0.5, 1.0]))
def test_mist_picks_boxes_that_are_apart(bag, ratio):
    boxes, scores, image_labels = bag
    found = MISTSampler(top_ratio=ratio)(boxes, scores, image_labels)
    limit = max(1, int(ratio * len(boxes) + 1e-9))
    for label in image_labels.nonzero().flatten().tolist():
        own = found.picked[found.picked_labels == label].tolist()
        best = sorted(range(len(boxes)), key=lambda row: -scores[row, label])[:limit]
        assert own[0] == best[0] and set(own) <= set(best)
        assert own == sorted(own, key=best.index)
        for a, row in enumerate(own):
            assert all(iou(boxes[row], boxes[other]) < 0.2 for other in own[:a])
        for row in set(best) - set(own):
            assert any(
                iou(boxes[row], boxes[other]) >= 0.2 - 1e-6
                for other in own
                if best.index(other) < best.index(row)
            )


# With an edge between boxes, PCL takes the first of those with equally many neighbours.
WITHOUT_TIES = {name: sampler for name, sampler in SAMPLERS.items() if 'pcl' not in name}
WITHOUT_TIES['pcl-without-edges'] = PCLSampler(graph_iou_thr=1.0)


@pytest.mark.parametrize('name', WITHOUT_TIES)
@given(bag=bags(min_boxes=2), data=st.data())
def test_order_of_the_proposals_does_not_matter(name, bag, data):
    boxes, scores, image_labels = bag
    order = torch.tensor(data.draw(st.permutations(range(len(boxes)))))
    one = WITHOUT_TIES[name](boxes, scores, image_labels)
    other = WITHOUT_TIES[name](boxes[order], scores[order], image_labels)
    assert torch.equal(one.labels[order], other.labels)
    assert torch.equal(one.weights[order], other.weights)
    assert torch.equal(one.matched_boxes[order], other.matched_boxes)
    assert torch.equal(one.picked, order[other.picked])
    assert torch.equal(one.picked_labels, other.picked_labels)


@given(bag=bags(min_boxes=1), factor=st.sampled_from([0.5, 2.0, 8.0]))
def test_size_of_the_image_does_not_matter(bag, factor):
    """Labels depend on ratios of areas alone."""
    boxes, scores, image_labels = bag
    for sampler in SAMPLERS.values():
        one, other = (sampler(b, scores, image_labels) for b in (boxes, factor * boxes))
        for field in ('labels', 'weights', 'match', 'picked', 'picked_labels'):
            assert torch.equal(getattr(one, field), getattr(other, field))


@given(
    values=st.lists(st.integers(0, 1000), min_size=1, max_size=30),
    k=st.integers(1, 5),
    data=st.data(),
)
def test_groups_of_kmeans(values, k, data):
    """Groups are intervals of the numbers, whatever their order."""
    values = torch.tensor(values) / 1000
    groups = kmeans_1d(values, k)
    assert groups.shape == values.shape and 0 <= groups.min() and groups.max() < k
    for a, b in zip(values.tolist(), groups.tolist(), strict=True):
        assert all(b <= d for c, d in zip(values.tolist(), groups.tolist(), strict=True) if a <= c)
    if values.min() < values.max():
        assert groups[values.argmin()] == 0 and groups[values.argmax()] == k - 1
    order = torch.tensor(data.draw(st.permutations(range(len(values)))))
    assert torch.equal(kmeans_1d(values[order], k), groups[order])
