"""PCL's pseudo labels against loops written from the paper."""

import itertools

import numpy as np
import pytest
import torch
from scipy.cluster.vq import kmeans2

from wsl_plugins.models.pseudo_labels import PCLSampler
from wsl_plugins.models.pseudo_labels.pcl_sampler import greedy_clusters, kmeans_1d


def iou(a, b):
    """In float32, as the boxes are, so that both sides of a threshold agree."""
    a, b = np.float32(a), np.float32(b)
    width = max(np.float32(0), min(a[2], b[2]) - max(a[0], b[0]))
    height = max(np.float32(0), min(a[3], b[3]) - max(a[1], b[1]))
    inter = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter
    return inter / max(union, np.float32(1e-6))


def slow_groups(values, k=3):
    low, high = min(values), max(values)
    centers = [low + (high - low) * i / (k - 1) for i in range(k)]
    groups = None
    while True:
        new = [min(range(k), key=lambda g: abs(v - centers[g])) for v in values]
        if new == groups:
            return groups
        groups = new
        for g in range(k):
            own = [v for v, group in zip(values, groups, strict=True) if group == g]
            if own:
                centers[g] = sum(own) / len(own)


def slow_pick(boxes, column, edge=0.4, max_centers=5):
    groups = slow_groups(column)
    left = [r for r in range(len(boxes)) if groups[r] == max(groups)]
    clusters = []
    while left:
        neighbours = {
            r: [q for q in left if q == r or iou(boxes[r], boxes[q]) > np.float32(edge)]
            for r in left
        }
        center = max(left, key=lambda r: (len(neighbours[r]), -r))
        clusters.append((max(column[q] for q in neighbours[center]), center))
        left = [r for r in left if r not in neighbours[center]]
    return sorted(clusters, key=lambda cluster: -cluster[0])[:max_centers]  # stable


def slow_pcl(boxes, scores, y):
    picked = [
        (score, center, c)
        for c in range(len(y))
        if y[c]
        for score, center in slow_pick(boxes, [row[c] for row in scores])
    ]
    labels, weights, matches = [], [], []
    for box in boxes:
        overlaps = [iou(box, boxes[center]) for _, center, _ in picked]
        n = int(np.argmax(overlaps))  # first of equal ones
        labels.append(picked[n][2] if overlaps[n] >= 0.5 else len(y))
        weights.append(picked[n][0] if overlaps[n] >= np.float32(0.1) else 0.0)
        matches.append(n)
    return labels, weights, matches, picked


def random_bag(generator):
    """Boxes on a coarse grid (duplicates, zero areas, IoUs on the thresholds), tied scores."""
    num = int(torch.randint(1, 40, (1,), generator=generator))
    corner = torch.randint(0, 8, (num, 2), generator=generator)
    boxes = torch.cat([corner, corner + torch.randint(0, 7, (num, 2), generator=generator)], 1)
    scores = torch.randint(0, 6, (num, 4), generator=generator) / 8
    if torch.rand(1, generator=generator) < 0.5:
        scores = torch.rand(num, 4, generator=generator)
    return boxes.float(), scores, torch.randint(0, 2, (4,), generator=generator)


def test_equals_the_loop_on_random_bags():
    generator = torch.Generator().manual_seed(0)
    several = 0
    for _ in range(1000):
        boxes, scores, y = random_bag(generator)
        got = PCLSampler()(boxes, scores, y)
        if not y.any():
            assert (got.weights == 0).all() and (got.labels == 4).all()
            continue
        labels, weights, matches, picked = slow_pcl(boxes.tolist(), scores.tolist(), y.tolist())
        assert got.picked.tolist() == [center for _, center, _ in picked]
        assert got.picked_labels.tolist() == [c for _, _, c in picked]
        assert got.labels.tolist() == labels
        assert got.weights.tolist() == weights
        assert got.match.tolist() == matches
        several += len(picked) > int(y.sum())
    assert several > 300  # most bags have classes with more than one cluster


def test_greedy_clusters_equal_the_loop_on_random_graphs():
    generator = torch.Generator().manual_seed(0)
    for density in (0.05, 0.2, 0.5):
        for _ in range(50):
            edges = torch.rand(20, 20, generator=generator) < density
            edges |= edges.t().clone()
            scores = torch.rand(20, generator=generator)
            left, expected = set(range(20)), []
            while left:
                own = {r: {q for q in left if q == r or edges[r, q]} for r in left}
                center = max(sorted(left), key=lambda r, own=own: len(own[r]))
                expected.append((center, max(scores[q].item() for q in own[center])))
                left -= own[center]
            centers, best = greedy_clusters(edges, scores)
            assert list(zip(centers.tolist(), best.tolist(), strict=True)) == expected


def test_centre_has_most_neighbours_and_the_score_is_the_best_members():
    """A chain of three: the middle box is the centre though the left one scores highest."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [3, 0, 13, 10], [6, 0, 16, 10], [60, 0, 70, 10]])
    scores = torch.tensor([[0.9], [0.8], [0.85], [0.1]])
    got = PCLSampler()(boxes, scores, torch.tensor([1]))
    assert got.picked.tolist() == [1] and got.labels.tolist() == [0, 0, 0, 1]
    torch.testing.assert_close(got.weights, torch.tensor([0.9, 0.9, 0.9, 0.0]))


def test_max_centers_keeps_the_best_clusters():
    start = torch.arange(8) * 20.0
    boxes = torch.stack([start, 0 * start, start + 10, 0 * start + 10], 1)
    scores = torch.tensor([[0.91], [0.98], [0.95], [0.94], [0.97], [0.92], [0.0], [0.5]])
    got = PCLSampler(max_centers=3)(boxes, scores, torch.tensor([1]))
    assert got.picked.tolist() == [1, 4, 2]
    assert len(PCLSampler()(boxes, scores, torch.tensor([1])).picked) == 5


@pytest.mark.parametrize(
    'num, y', [(0, [1, 0]), (3, [0, 0]), (1, [1, 1]), (2, [1, 0]), (7, [1, 1])]
)
@pytest.mark.parametrize('size', [9.0, 0.0])
def test_small_bags_equal_scores_and_boxes_without_area(num, y, size):
    boxes = torch.tensor([[3.0, 3.0, 3 + size, 3 + size]]).repeat(num, 1)
    got = PCLSampler()(boxes, torch.full((num, 2), 0.25), torch.tensor(y))
    assert len(got.labels) == num and got.weights.isfinite().all()
    clusters = 1 if size else min(num, 5)  # boxes without area have no neighbours
    assert len(got.picked) == (sum(y) * clusters if num else 0)


@pytest.mark.filterwarnings('ignore:One of the clusters is empty')
@pytest.mark.parametrize('k', [1, 2, 3, 5])
def test_kmeans_equals_scipy(k):
    generator = torch.Generator().manual_seed(k)
    for power in (1, 3, 10):  # ever more scores near zero
        for num in (1, 2, 3, 50, 4000):
            values = torch.rand(num, generator=generator, dtype=torch.float64) ** power
            start = np.linspace(values.min(), values.max(), k)[:, None]
            _, expected = kmeans2(values.numpy()[:, None], start, iter=200, minit='matrix')
            assert kmeans_1d(values, k).tolist() == expected.tolist()
            rounded = values.float()  # sums need more digits than that
            assert torch.equal(kmeans_1d(rounded, k), kmeans_1d(rounded.double(), k))


def test_kmeans_is_a_fixed_point_and_finds_separate_groups():
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        values = torch.randn(30, generator=generator).double()
        group = kmeans_1d(values, 3)
        means = torch.stack([values[group == g].mean() for g in range(3)])
        nearest = (values[:, None] - means).abs().argmin(1)
        assert torch.equal(nearest, group) and means.diff().gt(0).all()
    values = torch.tensor([0.9, 0.1, 0.5, 0.12, 0.93, 0.52, 0.11, 0.97])
    ordered = sorted(values.tolist())

    def spread(part):
        return sum((v - sum(part) / len(part)) ** 2 for v in part)

    cuts = min(
        itertools.combinations(range(1, 8), 2),
        key=lambda c: (
            spread(ordered[: c[0]]) + spread(ordered[c[0] : c[1]]) + spread(ordered[c[1] :])
        ),
    )
    expected = [sum(ordered.index(v) >= cut for cut in cuts) for v in values.tolist()]
    assert kmeans_1d(values, 3).tolist() == expected


def test_kmeans_of_equal_numbers_is_one_group():
    assert kmeans_1d(torch.full((6,), 0.3), 3).unique().numel() == 1


@pytest.mark.parametrize('name', ['kmeans_groups', 'max_centers'])
def test_bad_options(name):
    with pytest.raises(ValueError, match=f'{name} must be at least 1, got 0'):
        PCLSampler(**{name: 0})
