"""Boxes on maps, overlap of boxes with masks and D_seg against loops over pixels in float64."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from wsl_plugins.models.seg_heads import (
    best_component_iou,
    boxes_to_map,
    component_iou,
    component_labels,
    crop_maps,
    segmentation_prior,
)

DEVICES = ['cpu'] + ['cuda'] * torch.cuda.is_available()


def random_boxes(generator, count, size, beyond=3):
    """Whole boxes, some of them empty, some partly or wholly outside the map."""
    h, w = size
    x1 = generator.integers(-beyond, w + beyond, count)
    y1 = generator.integers(-beyond, h + beyond, count)
    x2, y2 = x1 + generator.integers(0, w, count), y1 + generator.integers(0, h, count)
    return np.stack([x1, y1, x2, y2], axis=1)


def slow_iou(box, mask):
    x1, y1, x2, y2 = box
    h, w = mask.shape
    inside = np.zeros(mask.shape, dtype=bool)
    for y in range(h):
        for x in range(w):
            inside[y, x] = x1 <= x < x2 and y1 <= y < y2
    union = (inside | mask).sum()
    return (inside & mask).sum() / union if union else 0.0


def flood_fill(mask, connectivity):
    """Masks of the connected components."""
    left, components = {tuple(cell) for cell in np.argwhere(mask).tolist()}, []
    while left:
        todo, component = [left.pop()], np.zeros(mask.shape, dtype=bool)
        while todo:
            y, x = todo.pop()
            component[y, x] = True
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    cell = (y + dy, x + dx)
                    if cell in left and (connectivity == 8 or dy == 0 or dx == 0):
                        left.remove(cell)
                        todo.append(cell)
        components.append(component)
    return components


def slow_prior(maps, boxes, tau0, thr, connectivity):
    prior = np.zeros((len(boxes), len(maps)))
    for k, one in enumerate(maps):
        components = flood_fill(one > thr * one.max(), connectivity)
        for i, box in enumerate(boxes):
            prior[i, k] = max([slow_iou(box, c) for c in components], default=0.0) + tau0
    return prior / prior.max(axis=0)


@pytest.mark.parametrize('size', [(6, 9), (11, 4), (1, 1)])
def test_best_component_iou_of_rasterised_boxes(size):
    generator = np.random.default_rng(0)
    boxes = random_boxes(generator, 40, size, beyond=0)
    boxes = boxes.clip(0, np.tile(size[::-1], 2))
    labels = generator.integers(0, 8, size)  # components need not be connected
    labels.flat[:8] = range(min(8, labels.size))
    masks = [labels == label for label in range(1, labels.max() + 1)]
    expected = [max((slow_iou(box, m) for m in masks), default=0) for box in boxes]
    found = best_component_iou(labels, boxes)
    assert found.dtype == np.float32 and found.shape == (40,)
    np.testing.assert_allclose(found, expected, atol=1e-6, rtol=0)
    assert size == (1, 1) or len(np.unique(expected)) > 8


def test_best_component_iou_of_nothing():
    labels = np.ones((3, 4), np.int32)
    boxes = np.array([[4, 0, 4, 3], [2, 1, 2, 3], [0, 2, 2, 2]])
    assert best_component_iou(labels, boxes).tolist() == [0.0] * 3
    assert best_component_iou(0 * labels, np.array([[0, 0, 4, 3]])).tolist() == [0.0]
    assert best_component_iou(labels, boxes[:0]).shape == (0,)


@pytest.mark.parametrize('thr', [0.5, 0.85])
def test_noise_needs_few_integral_images(monkeypatch, thr):
    """Thousands of components: those that cannot be the best of any box are not counted."""
    counted = []
    count = component_iou._count_inside

    def counting(mask, boxes, *window):
        counted.append(mask.size)
        return count(mask, boxes, *window)

    monkeypatch.setattr(component_iou, '_count_inside', counting)
    maps = torch.rand(1, 140, 140, generator=torch.Generator().manual_seed(0))
    (labels,) = component_labels(maps, thr, 4)
    boxes = random_boxes(np.random.default_rng(3), 60, (140, 140), beyond=0).clip(0, 140)
    found = best_component_iou(labels, boxes)
    everything = np.stack([labels == label for label in range(1, labels.max() + 1)])
    expected = [
        np.max(inside / (np.prod(box[2:] - box[:2]) + everything.sum((1, 2)) - inside))
        for box in boxes
        for inside in [everything[:, box[1] : box[3], box[0] : box[2]].sum((1, 2))]
    ]
    np.testing.assert_allclose(found, expected, atol=1e-6, rtol=0)
    assert labels.max() > 1000 and len(counted) < 0.8 * labels.max()
    assert sum(counted) < 40 * labels.size  # of windows; masks of the map would be 1,000 and more


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('connectivity', [4, 8])
@pytest.mark.parametrize('thr, tau0', [(0.5, 0.5), (0.85, 0.1)])
def test_prior_against_flood_fill(device, connectivity, thr, tau0):
    generator = np.random.default_rng(1)
    maps = generator.random((5, 9, 7)) * np.array([1, 0.02, 0.5, 1, 0])[:, None, None]
    maps[3] = 0
    maps[3, 4, 2] = 0.7  # a component of one pixel; the map after it has none
    boxes = random_boxes(generator, 30, (9, 7))
    found = segmentation_prior(
        torch.tensor(maps, device=device),
        torch.tensor(boxes, device=device),
        tau0,
        thr,
        connectivity,
    )
    expected = slow_prior(maps, boxes, tau0, thr, connectivity)
    np.testing.assert_allclose(found.cpu().numpy().astype(np.float64), expected, atol=1e-6, rtol=0)
    assert (found.amax(dim=0) == 1).all() and (found[:, 4] == 1).all()
    for one, labels in zip(
        maps, component_labels(torch.tensor(maps), thr, connectivity), strict=True
    ):
        parts = flood_fill(one > thr * one.max(), connectivity)
        ours = [labels == label for label in range(1, labels.max() + 1)]
        assert {p.tobytes() for p in parts} == {p.tobytes() for p in ours}
        assert len(parts) == len(ours)


def test_defaults_and_thresholds_of_components():
    """Half of the maximum does not count, corners join; a threshold of 0 takes all above 0."""
    maps = torch.tensor([[[0.8, 0.4, 0.1], [0.0, 0.5, 0.0]]])
    assert component_labels(maps)[0].tolist() == [[1, 0, 0], [0, 1, 0]]
    assert component_labels(maps, 0)[0].tolist() == [[1, 1, 1], [0, 1, 0]]
    assert component_labels(maps, connectivity=4)[0].max() == 2
    with pytest.raises(ValueError, match=r'must lie in \[0, 1\), got -0.5'):
        component_labels(maps, -0.5)


def test_connectivity_and_hand_computed_prior():
    maps = torch.zeros(1, 4, 4)
    maps[0, 0, 0] = maps[0, 1, 1] = 0.8
    maps[0, 3, 3] = 0.4  # equal to the threshold: not above it
    boxes = torch.tensor([[0, 0, 2, 2], [0, 0, 1, 1], [2, 2, 4, 4]])
    # together 2 of 4 pixels and 1 of 2; apart 1 of 4 and 1 of 1
    joined = torch.tensor([[1.0], [1.0], [0.5]])
    apart = torch.tensor([[0.75 / 1.5], [1.0], [0.5 / 1.5]])
    torch.testing.assert_close(segmentation_prior(maps, boxes), joined)
    torch.testing.assert_close(segmentation_prior(maps, boxes, connectivity=4), apart)
    assert segmentation_prior(maps, boxes[:0]).shape == (0, 1)
    assert not segmentation_prior(maps.requires_grad_(), boxes).requires_grad
    with pytest.raises(ValueError, match=r'whole map pixels, got \(3, 4\) torch.float32'):
        segmentation_prior(maps, boxes.float())


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(tau0=0), 'tau0 must be greater than 0, got 0'),
        (dict(component_thr=1.0), r'component_thr must lie in \[0, 1\), got 1.0'),
        (dict(connectivity=6), 'connectivity must be 4 or 8, got 6'),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        segmentation_prior(torch.rand(1, 2, 2), torch.tensor([[0, 0, 1, 1]]), **options)


def slow_to_map(box, input_size, map_size):
    """Exact arithmetic of the documented rounding."""
    found = []
    for axis in (0, 1):
        scale = Fraction(map_size[1 - axis], input_size[1 - axis])
        start, end = (Fraction(float(v)) * scale for v in box[axis::2])
        first, last = (math.floor(v + Fraction(1, 2)) for v in (start, end))
        if end <= start:
            last = first
        elif last == first:
            first = math.floor((start + end) / 2)
            last = first + 1
        found.append((first, last))
    return [found[0][0], found[1][0], found[0][1], found[1][1]]


def test_boxes_to_map_against_exact_arithmetic():
    generator = np.random.default_rng(2)
    corners = generator.integers(-8, 70, (200, 2)) / 2
    sides = generator.integers(-2, 30, (200, 2)) / 2
    boxes = np.concatenate([corners, corners + sides], axis=1).astype(np.float32)
    for input_size, map_size in (((32, 64), (4, 8)), ((31, 65), (4, 9)), ((8, 8), (16, 24))):
        expected = [slow_to_map(box, input_size, map_size) for box in boxes]
        found = boxes_to_map(torch.tensor(boxes), input_size, map_size)
        assert found.dtype == torch.int64 and found.tolist() == expected
    with pytest.raises(ValueError, match=r'must be \(R, 4\), got \(3, 5\)'):
        boxes_to_map(torch.zeros(3, 5), (8, 8), (1, 1))


def test_small_boxes_in_the_image_keep_a_pixel_of_the_cropped_map():
    maps = torch.rand(2, 3, 5, 8)
    sizes = [(37, 33), (40, 64)]
    crops = crop_maps(maps, sizes, (40, 64))
    assert [tuple(c.shape) for c in crops] == [(3, 5, 5), (3, 5, 8)]
    assert torch.equal(crops[0], maps[0, :, :, :5]) and torch.equal(crops[1], maps[1])
    last = torch.tensor([[32.25, 36.5, 33.0, 37.0]])  # the right lower corner of the first image
    whole = np.ones((5, 5), np.int32)
    found = best_component_iou(whole, boxes_to_map(last, (40, 64), (5, 8)).numpy())
    np.testing.assert_allclose(found, [1 / 25])
