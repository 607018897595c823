"""Losses of SDCN against loops written from equations 11-15 and 23."""

import math

import numpy as np
import pytest
import torch

from wsl_plugins.models.seg_heads import (
    adversarial_loss,
    adversarial_targets,
    classifier_loss,
    map_classification_loss,
    masked_channels,
    segmentation_loss,
)

LABELS = torch.tensor([[1, 0, 1], [0, 0, 0], [0, 1, 0]])


def bce(p, y):
    return -(y * math.log(p) + (1 - y) * math.log(1 - p))


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def random_logits(rows, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, 3, generator=generator, dtype=torch.float64)


def test_channels_that_mask():
    index, channel = masked_channels(LABELS, background=True)
    pairs = list(zip(index.tolist(), channel.tolist(), strict=True))
    assert pairs == [(0, 0), (0, 2), (0, 3), (1, 3), (2, 1), (2, 3)]
    index, channel = masked_channels(LABELS.float(), background=False)
    assert list(zip(index.tolist(), channel.tolist(), strict=True)) == [(0, 0), (0, 2), (2, 1)]
    assert [len(t) for t in masked_channels(LABELS[1:2], background=False)] == [0, 0]


def test_targets_one_rule_at_a_time():
    index, channel = masked_channels(LABELS, background=True)
    inside, outside = adversarial_targets(LABELS, index, channel)
    rules = {
        (0, 0): ([1, 0, 0], [0, 0, 1]),  # class k alone; the others of the image
        (0, 2): ([0, 0, 1], [1, 0, 0]),
        (0, 3): ([0, 0, 0], [1, 0, 1]),  # background: nothing inside, every class outside
        (1, 3): ([0, 0, 0], [0, 0, 0]),  # background of an image without class
        (2, 1): ([0, 1, 0], [0, 0, 0]),  # the only class: nothing outside
        (2, 3): ([0, 0, 0], [0, 1, 0]),
    }
    for row, pair in enumerate(zip(index.tolist(), channel.tolist(), strict=True)):
        assert (inside[row].tolist(), outside[row].tolist()) == rules[pair]


def test_adversarial_loss_against_the_loop():
    index, channel = masked_channels(LABELS, background=True)
    inside, outside = random_logits(6, 0), random_logits(6, 1)
    total, row = 0.0, 0
    for image in range(3):
        y = LABELS[image].tolist() + [1]
        for k in range(4):
            if y[k]:
                for i in range(3):
                    tilde = 1 if k < 3 and i == k else 0
                    hat = 0 if i == k else y[i]
                    total += bce(sigmoid(inside[row, i]), tilde)
                    total += bce(sigmoid(outside[row, i]), hat)
                row += 1
    found = adversarial_loss(inside, outside, LABELS, index, channel)
    assert found.item() == pytest.approx(total / 3, rel=1e-5)


def test_classifier_loss_against_the_loop():
    index, _ = masked_channels(LABELS, background=False)
    whole, outside = random_logits(3, 2), random_logits(3, 3)
    total = sum(bce(sigmoid(whole[n, i]), int(LABELS[n, i])) for n in range(3) for i in range(3))
    for row, n in enumerate([0, 0, 2]):  # every class of the image, k itself too
        total += sum(bce(sigmoid(outside[row, i]), int(LABELS[n, i])) for i in range(3))
    found = classifier_loss(whole, outside, LABELS, index)
    assert found.item() == pytest.approx(total / 3, rel=1e-5)
    alone = classifier_loss(whole[1:2], outside[:0], LABELS[1:2], index[:0])
    assert alone.item() == pytest.approx(
        sum(bce(sigmoid(whole[1, i]), 0) for i in range(3)), rel=1e-5
    )


def test_map_classification_against_sorting():
    generator = np.random.default_rng(0)
    maps = [generator.random((4, *size)) for size in ((5, 7), (1, 2), (4, 3))]
    maps[2] = (np.round(maps[2], 1) + 0.1) / 1.3  # ties
    total = 0.0
    for one, y in zip(maps, LABELS.tolist(), strict=True):
        for k in range(4):
            pixels = sorted(one[k].ravel(), reverse=True)
            count = max(1, math.floor(0.2 * len(pixels) + 0.5))
            total += bce(sum(pixels[:count]) / count, (y + [1])[k])
    found = map_classification_loss([torch.tensor(one) for one in maps], LABELS)
    assert found.item() == pytest.approx(total / 3, rel=1e-5)
    with pytest.raises(ValueError, match='differ in shape'):
        map_classification_loss([torch.rand(3, 2, 2)] * 3, LABELS)


def test_map_classification_at_its_limits():
    maps = torch.zeros(3, 4, 3, 3)
    maps[:, 3] = 1  # all background
    maps.requires_grad_()
    loss = map_classification_loss(maps, LABELS)
    loss.backward()
    assert loss.isfinite() and maps.grad.isfinite().all()


def test_segmentation_loss_against_the_loop():
    generator = np.random.default_rng(1)
    maps = [generator.random((4, *size)) for size in ((3, 5), (2, 2))]
    maps = [one / one.sum(axis=0) for one in maps]
    targets = [generator.choice([0, 1, 2, 3, 255], one.shape[1:]) for one in maps]
    expected = 0.0
    for one, target in zip(maps, targets, strict=True):
        picked = [
            -math.log(one[target[y, x], y, x]) for y, x in np.argwhere(target != 255).tolist()
        ]
        expected += sum(picked) / len(picked) / 2
    found = segmentation_loss(map(torch.tensor, maps), map(torch.tensor, targets))
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_segmentation_loss_without_label_and_with_probability_zero():
    maps = torch.zeros(2, 3, 2, 2)
    maps[:, 0] = 1
    maps.requires_grad_()
    targets = torch.full((2, 2, 2), 255)
    loss = segmentation_loss(maps, targets)
    loss.backward()
    assert loss == 0 and (maps.grad == 0).all()
    targets[1, 0, 0] = 2
    loss = segmentation_loss(maps, targets)
    loss.backward()
    assert loss.item() == pytest.approx(12 * math.log(10) / 2) and maps.grad.isfinite().all()


def test_two_images_of_three_classes():
    """Not as many images as classes."""
    index, channel = masked_channels(LABELS[:2], background=True)
    inside, outside = adversarial_targets(LABELS[:2], index, channel)
    assert inside.dtype == outside.dtype == torch.float32
    assert inside.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert outside.tolist() == [[0, 0, 1], [1, 0, 0], [1, 0, 1], [0, 0, 0]]


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype):
    index, channel = masked_channels(LABELS, background=True)
    logits = [random_logits(6, seed).to(dtype) for seed in (0, 1)]
    whole = random_logits(3, 2).to(dtype)
    maps = [
        torch.rand(4, 5, 6, generator=torch.Generator().manual_seed(n)).softmax(0).to(dtype)
        for n in range(3)
    ]
    targets = [torch.arange(30).reshape(5, 6) % 4] * 3
    for loss, halves, rest in (
        (adversarial_loss, logits, (LABELS, index, channel)),
        (classifier_loss, (whole, logits[0]), (LABELS, index)),
        (lambda *m: map_classification_loss(m, LABELS), maps, ()),
        (lambda *m: segmentation_loss(m, targets), maps, ()),
    ):
        found = loss(*halves, *rest)
        assert found.dtype == torch.float32
        assert torch.equal(found, loss(*(x.float() for x in halves), *rest))
