"""PCL's loss against a loop written from the paper."""

import math

import pytest
import torch

from wsl_plugins.models.mil_heads import PCLHead, cluster_cross_entropy
from wsl_plugins.models.pseudo_labels import PCLSampler, PseudoLabels


def slow_loss(logits, labels, weights, clusters, normalize):
    background = len(logits[0]) - 1
    probs = []
    for row in logits:
        exps = [math.exp(v) for v in row]
        probs.append([e / sum(exps) for e in exps])
    bags, total = {}, 0.0
    for r, label in enumerate(labels):
        if weights[r] == 0:
            continue
        if label == background:
            total -= weights[r] * math.log(probs[r][background])
        else:
            bags.setdefault(clusters[r], []).append(r)
    for rois in bags.values():
        mean = sum(probs[r][labels[r]] for r in rois) / len(rois)
        total -= weights[rois[0]] * len(rois) * math.log(mean)
    return total / (max(sum(weights), 1e-12) if normalize else max(len(logits), 1))


def random_targets(generator, num, num_clusters=4, num_classes=3):
    """Clusters of one class and one weight each; some clusters are empty, some weights are 0."""
    clusters = torch.randint(0, num_clusters, (num,), generator=generator)
    classes = torch.randint(0, num_classes, (num_clusters,), generator=generator)
    cluster_weights = torch.rand(num_clusters, generator=generator)
    foreground = torch.rand(num, generator=generator) < 0.5
    ignored = torch.rand(num, generator=generator) < 0.2
    labels = torch.where(foreground, classes[clusters], num_classes)
    return labels, torch.where(ignored, 0, cluster_weights[clusters]), clusters


@pytest.mark.parametrize('normalize', [False, True])
@pytest.mark.parametrize('num', [1, 2, 5, 40])
def test_equals_the_loop(num, normalize):
    generator = torch.Generator().manual_seed(num)
    for _ in range(25):
        logits = 2 * torch.randn(num, 4, generator=generator)
        labels, weights, clusters = random_targets(generator, num)
        got = cluster_cross_entropy(logits, labels, weights, clusters, 4, normalize)
        bag = (t.tolist() for t in (logits, labels, weights, clusters))
        assert got.item() == pytest.approx(slow_loss(*bag, normalize), rel=1e-5, abs=1e-7)


def test_by_hand():
    """A cluster of two with p = 0.6, 0.2 and weight 0.5, a background RoI with p = 0.5 and weight
    0.25, an ignored one: (0.5 * 2 * -log 0.4 + 0.25 * -log 0.5) / 4."""
    logits = torch.tensor([[0.6, 0.4], [0.2, 0.8], [0.5, 0.5], [0.9, 0.1]]).log()
    labels, weights = torch.tensor([0, 0, 1, 1]), torch.tensor([0.5, 0.5, 0.25, 0.0])
    got = cluster_cross_entropy(logits, labels, weights, torch.zeros(4, dtype=torch.long), 1)
    assert got.item() == pytest.approx((0.9162907 + 0.1732868) / 4, rel=1e-5)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype):
    generator = torch.Generator().manual_seed(0)
    logits = (5 * torch.randn(40, 4, generator=generator)).to(dtype)
    targets = (*random_targets(generator, 40), 4)
    found = cluster_cross_entropy(logits, *targets)
    assert found.dtype == torch.float32
    assert torch.equal(found, cluster_cross_entropy(logits.float(), *targets))


def test_gradient():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(9, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    labels, weights, clusters = random_targets(generator, 9)
    assert torch.autograd.gradcheck(
        lambda x: cluster_cross_entropy(x, labels, weights.double(), clusters, 6), logits
    )
    ignored = weights == 0
    cluster_cross_entropy(logits, labels, weights, clusters, 6).backward()
    assert ignored.any() and (logits.grad[ignored] == 0).all()
    assert (logits.grad[~ignored] != 0).all()


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
def test_certain_and_wrong_is_finite_and_learns(dtype):
    logits = torch.tensor([[-300.0, 300.0], [-290.0, 300.0]], dtype=dtype, requires_grad=True)
    zeros = torch.zeros(2, dtype=torch.long)
    loss = cluster_cross_entropy(logits, zeros, torch.ones(2), zeros, 3)
    loss.backward()
    assert loss.dtype == torch.float32 and loss.item() == pytest.approx(590, abs=3)
    assert logits.grad.isfinite().all() and logits.grad[1, 0] < 0


@pytest.mark.parametrize('num, y', [(0, [1, 0]), (0, [0, 0]), (4, [0, 0])])
def test_nothing_to_learn_is_zero(num, y):
    boxes = torch.rand(num, 4).cumsum(1)
    targets = PCLSampler()(boxes, torch.rand(num, 2), torch.tensor(y))
    logits = torch.randn(num, 3, requires_grad=True)
    for normalize in (False, True):
        loss = PCLHead(8, 2, normalize_weights=normalize).cls_loss(logits, targets)
        loss.backward()
        assert loss == 0 and (logits.grad == 0).all()


def test_head_reads_clusters_from_the_pseudo_labels():
    """Two clusters of one class stay two bags; the mean over images is that of RefinementHead."""
    targets = PseudoLabels(
        labels=torch.tensor([0, 0, 0]),
        weights=torch.tensor([0.8, 0.8, 0.4]),
        matched_boxes=torch.zeros(3, 4),
        match=torch.tensor([0, 0, 1]),
        picked=torch.tensor([0, 2]),
        picked_labels=torch.tensor([0, 0]),
    )
    logits = torch.tensor([[0.5, 0.5], [0.3, 0.7], [0.1, 0.9]]).log()
    one = (1.6 * -math.log(0.4) + 0.4 * -math.log(0.1)) / 3
    normalized = PCLHead(8, 1, normalize_weights=True).cls_loss(logits, targets)
    assert normalized.item() == pytest.approx(one * 3 / 2, rel=1e-5)
    empty = PseudoLabels(*(t[:0] for t in targets))
    losses = PCLHead(8, 1).loss(
        (logits, None), [torch.zeros(3, 4), torch.zeros(0, 4)], [targets, empty]
    )
    assert set(losses) == {'loss_cls'}
    assert losses['loss_cls'].item() == pytest.approx(one / 2, rel=1e-5)
