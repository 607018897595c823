"""Heat map of detections against a loop over boxes and pixels, its labels against sorting."""

import numpy as np
import pytest
import torch

from wsl_plugins.models.seg_heads import detection_heat_map, heat_map_labels
from wsl_plugins.models.seg_heads.top_fraction import top_count

DEVICES = ['cpu'] + ['cuda'] * torch.cuda.is_available()


def slow_heat_map(boxes, scores, labels, size):
    """Equations 21-22, box by box, pixel by pixel."""
    h, w = size
    maps = np.zeros((len(labels) + 1, h, w))
    for k in np.flatnonzero(labels):
        for (x1, y1, x2, y2), score in zip(boxes, scores[:, k], strict=True):
            for q in range(h):
                for p in range(w):
                    if x1 <= p < x2 and y1 <= q < y2:
                        maps[k, q, p] += score
        if maps[k].max() > 0:
            maps[k] /= maps[k].max()
    maps[-1] = 1 - maps[:-1].max(axis=0)
    return maps


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('scale', [1.0, 1e-9])
@pytest.mark.parametrize('labels', [[1, 0, 1, 1], [0, 0, 0, 0]])
def test_heat_map_against_the_loop(device, scale, labels):
    generator = np.random.default_rng(3)
    size = (8, 11)
    x1, y1 = generator.integers(-3, 13, 60), generator.integers(-3, 10, 60)
    sides = generator.integers(0, 8, (2, 60))
    boxes = np.stack([x1, y1, x1 + sides[0], y1 + sides[1]], axis=1)
    scores = generator.random((60, 4)) * scale
    scores[:, 3] = 0  # a class whose boxes all score nothing
    found = detection_heat_map(
        torch.tensor(boxes, device=device),
        torch.tensor(scores, device=device, requires_grad=True),
        torch.tensor(labels, device=device),
        size,
    )
    assert found.dtype == torch.float32 and not found.requires_grad
    expected = slow_heat_map(boxes, scores, np.array(labels), size)
    np.testing.assert_allclose(found.cpu().numpy().astype(np.float64), expected, atol=1e-6, rtol=0)
    if any(labels):
        assert found[0].max() == 1 and found[1].max() == 0


def test_same_boxes_tie_exactly():
    """A pixel left by many boxes has the sum of those that are left, to the last bit."""
    scores = torch.rand(300, 1, generator=torch.Generator().manual_seed(0))
    ends = [[2, 0, 5 + i % 5, 1] for i in range(299)]
    boxes = torch.tensor([[0, 0, 12, 1], *ends])
    heat = detection_heat_map(boxes, scores, torch.tensor([1]), (1, 14))[0, 0]
    assert (heat[:2] == heat[0]).all() and (heat[9:12] == heat[0]).all()
    assert (heat[12:] == 0).all() and (heat[2:5] == 1).all() and 0 < heat[0] < 1


@pytest.mark.parametrize(
    'boxes',
    [
        torch.zeros(0, 4).long(),
        torch.tensor([[9, 9, 20, 20], [3, 1, 3, 4], [2, 1, 1, 2], [1, 3, 2, 2]]),
    ],
)
def test_no_box_on_the_map(boxes):
    heat = detection_heat_map(boxes, torch.ones(len(boxes), 2), torch.tensor([1, 0]), (4, 5))
    assert (heat[:2] == 0).all() and (heat[2] == 1).all()
    assert (heat_map_labels(heat) == 2).all()  # all tie, all stay


def test_wrong_number_of_scores():
    with pytest.raises(ValueError, match=r'scores must be \(2, 3\).*got \(2, 4\)'):
        detection_heat_map(torch.zeros(2, 4).long(), torch.zeros(2, 4), torch.ones(3), (2, 2))


def slow_labels(maps, fraction):
    """Sort the pixels of each class and take the first part and what ties with its end."""
    channels, h, w = maps.shape
    owned = {k: [] for k in range(channels)}
    for y in range(h):
        for x in range(w):
            best = max(range(channels), key=lambda k: (maps[k, y, x], -k))
            owned[best].append((maps[best, y, x], y, x))
    labels = np.full((h, w), 255)
    for k, pixels in owned.items():
        if pixels:
            pixels.sort(reverse=True)
            least = pixels[max(1, int(np.floor(fraction * len(pixels) + 0.5))) - 1][0]
            for value, y, x in pixels:
                if value >= least:
                    labels[y, x] = k
    return labels


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('fraction', [0.1, 0.5, 1.0])
@pytest.mark.parametrize('levels', [5, 10_000])
def test_labels_against_sorting(device, fraction, levels):
    generator = np.random.default_rng(4)
    for size in ((7, 12), (3, 3), (1, 1)):
        maps = generator.integers(0, levels, (4, *size)).astype(np.float32) / levels
        maps[1] *= 0.2  # a class that wins nowhere, or hardly
        found = heat_map_labels(torch.tensor(maps, device=device), fraction)
        assert found.dtype == torch.int64
        assert found.tolist() == slow_labels(maps, fraction).tolist()


def test_labels_by_hand():
    row = torch.arange(20.0) / 20
    maps = torch.stack([row, 1 - row])[:, None]
    # 10 pixels each: 0.5 ties and goes to the first; 11 -> top 1, the background's 9 -> top 1
    expected = [1] + [255] * 18 + [0]
    assert heat_map_labels(torch.stack([row, 1 - row])[:, None]).tolist() == [expected]
    tied = heat_map_labels(maps[:1].repeat(2, 1, 1))
    assert tied[0, -1] == 0 and (tied != 1).all()
    with pytest.raises(ValueError, match='at most 255 maps'):
        heat_map_labels(torch.zeros(256, 1, 1))
    assert heat_map_labels(torch.arange(255.0)[:, None, None]).tolist() == [[254]]


def test_top_count():
    assert [top_count(n, 0.1) for n in (1, 4, 5, 14, 15, 25, 100)] == [1, 1, 1, 1, 2, 3, 10]
    assert [top_count(n, 0.2) for n in (1, 12, 13, 15, 35)] == [1, 2, 3, 3, 7]
    for fraction in (0, 1.1):
        with pytest.raises(ValueError, match='must lie in'):
            top_count(10, fraction)


def test_scores_of_very_different_size():
    boxes = torch.tensor([[0, 0, 2, 1], [1, 0, 3, 1]])
    scores = torch.tensor([[1e-12, 0.0], [0.5, 1e-30]])
    maps = detection_heat_map(boxes, scores, torch.tensor([1, 1]), (1, 4))[:, 0]
    torch.testing.assert_close(maps[0], torch.tensor([2e-12, 1.0, 1.0, 0.0]), rtol=0, atol=1e-11)
    assert maps[1].tolist() == [0, 1, 1, 0] and maps[2, 3] == 1
