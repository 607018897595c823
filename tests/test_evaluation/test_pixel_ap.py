"""PxAP against a loop over thresholds that counts pixels."""

import numpy as np
import pytest

from wsl_plugins.evaluation.functional.pixel_ap import (
    BIN_EDGES,
    pixel_ap,
    precision_recall,
    score_histograms,
)


def slow_pixel_ap(maps, masks):
    """Equations 1 and 2 over the pixels of all images, thresholds from high to low."""
    scores = np.concatenate([m.ravel() for m in maps])
    truth = np.concatenate([m.ravel() for m in masks])
    total, last = 0.0, 0.0
    for threshold in [1.0, *np.arange(0, 1, 0.001)[::-1]]:
        right = int(((scores >= threshold) & (truth == 1)).sum())
        kept = right + int(((scores >= threshold) & (truth == 0)).sum())
        recall = right / int((truth == 1).sum())
        if kept:
            total += right / kept * (recall - last)
        last = recall
    return 100 * total


def random_mask(rng, shape):
    return rng.choice(np.array([0, 1, 255], np.uint8), shape, p=[0.6, 0.3, 0.1])


def random_map(rng, shape):
    """Scores in no relation to the mask, some of them exactly at edges of bins, or 0 and 1."""
    scores = rng.random(shape) ** 2
    exact = rng.random(shape) < 0.3
    scores[exact] = rng.choice(BIN_EDGES[:1001], exact.sum())
    return scores


@pytest.mark.parametrize('seed', range(8))
def test_against_loop(seed):
    rng = np.random.default_rng(seed)
    shapes = [(7, 9), (20, 20), (1, 30)]
    masks = [random_mask(rng, shape) for shape in shapes]
    maps = [random_map(rng, shape) for shape in shapes]
    maps[1] = np.clip(maps[1] * 0.3 + 0.6 * (masks[1] == 1), 0, 1)  # a good map
    total = sum(score_histograms(*pair) for pair in zip(maps, masks, strict=True))
    assert total.shape == (2, 1002) and total[:, -1].tolist() == [0, 0]
    assert total.sum(axis=1).tolist() == [sum(int((m == v).sum()) for m in masks) for v in (1, 0)]
    expected = slow_pixel_ap(maps, masks)
    assert 5 < expected < 95
    assert pixel_ap(total) == pytest.approx(expected, abs=1e-9)


def test_by_hand():
    """Scores .9 (object), .8 (not), .7 (object), 1 (ignored): 1 * 1/2 + 2/3 * 1/2."""
    score_map, mask = np.array([[0.9, 0.8], [0.7, 1.0]]), np.array([[1, 0], [1, 255]])
    histograms = score_histograms(score_map, mask)
    assert pixel_ap(histograms) == pytest.approx(100 * 5 / 6)
    precision, recall = precision_recall(histograms)
    kept = ~np.isnan(precision)
    assert np.unique(recall).tolist() == [0, 0.5, 1]
    np.testing.assert_allclose(np.unique(precision[kept]), [0.5, 2 / 3, 1])


def test_one_is_more_than_the_last_bin():
    """Scores of exactly 1 are before those of 0.9995, which share the bin of 0.999."""
    mask = np.array([[1, 0]])
    assert pixel_ap(score_histograms(np.array([[1.0, 0.9995]]), mask)) == 100
    assert pixel_ap(score_histograms(np.array([[0.9995, 1.0]]), mask)) == 50
    assert pixel_ap(score_histograms(np.array([[0.9995, 0.999]]), mask)) == 50


def test_pooled_over_images():
    """One object pixel in image a, three in image b, which is wrong: not the mean of two APs."""
    first = score_histograms(np.array([[1.0, 0, 0, 0]]), np.array([[1, 0, 0, 0]]))
    second = score_histograms(np.array([[0.0, 0, 0, 1]]), np.array([[1, 1, 1, 0]]))
    assert pixel_ap(first) == 100
    assert pixel_ap(first + second) == pytest.approx(100 * (1 / 2 * 1 / 4 + 4 / 8 * 3 / 4))


@pytest.mark.parametrize('ignored', [0.0, 1.0])
def test_perfect_map(ignored):
    mask = random_mask(np.random.default_rng(0), (30, 30))
    score_map = (mask == 1).astype(float)
    score_map[mask == 255] = ignored
    assert pixel_ap(score_histograms(score_map, mask)) == 100


@pytest.mark.parametrize('value', [0.0, 0.5, 1.0])
def test_constant_map_gives_the_share_of_object_pixels(value):
    mask = np.repeat(np.array([1, 0, 255], np.uint8), [7, 13, 5])[None]
    got = pixel_ap(score_histograms(np.full(mask.shape, value), mask))
    assert got == pytest.approx(100 * 7 / 20)


def test_wrong_input():
    with pytest.raises(ValueError, match=r'\(2, 3\) and mask \(3, 2\)'):
        score_histograms(np.zeros((2, 3)), np.zeros((3, 2)))
    for bad in (np.nan, 1.01, -0.01):
        with pytest.raises(ValueError, match='normalise'):
            score_histograms(np.array([[0.5, bad]]), np.array([[1, 0]]))
    with pytest.raises(ValueError, match='without any object pixel'):
        pixel_ap(score_histograms(np.array([[0.5, 0.2]]), np.array([[0, 255]])))
