"""DDT against a singular value decomposition of all features at once."""

import numpy as np
import pytest
import torch

from wsl_plugins.pseudo_boxes import ddt, passes
from wsl_plugins.pseudo_boxes.components import component_box
from wsl_plugins.pseudo_boxes.ddt import DDTStatistics, FeatureSums, heat_maps


def make_features(seed=0, images=12, channels=7, height=5, width=4):
    """(N, D, h, w) float32 like those behind a ReLU: an object's direction, noise, an offset."""
    generator = np.random.default_rng(seed)
    direction = generator.normal(size=channels) + 0.3
    strength = generator.gamma(1.0, size=(images, 1, height, width))
    noise = generator.normal(scale=0.4, size=(images, channels, height, width))
    return torch.tensor(
        np.maximum(strength * direction[:, None, None] + noise + 0.2, 0), dtype=torch.float32
    )


def reference(features):
    """Mean, component, share by SVD of the centred matrix of all cells; the documented sign."""
    cells = np.stack([f[:, y, x] for f in features.numpy() for y, x in np.ndindex(f.shape[1:])])
    cells = cells.astype(np.float64)
    mean = cells.mean(axis=0)
    _, values, rows = np.linalg.svd(cells - mean)
    component = rows[0]
    heat = (cells - mean) @ component
    if np.corrcoef(heat, cells.mean(axis=1))[0, 1] < 0:
        component = -component
    return mean, component, values[0] ** 2 / (values**2).sum()


def streamed(features, batch_size):
    sums = FeatureSums(features.size(1))
    for batch in features.split(batch_size):
        sums.update(batch)
    return sums.statistics()


@pytest.mark.parametrize('batch_size', [1, 5, 12])
@pytest.mark.parametrize('seed', [0, 1, 2])
def test_streaming_is_pca_of_all_features(seed, batch_size):
    features = make_features(seed)
    mean, component, share = reference(features)
    found = streamed(features, batch_size)
    assert found.cells == 12 * 5 * 4
    np.testing.assert_allclose(found.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(found.component, component, rtol=0, atol=1e-12)
    assert found.share == pytest.approx(share, rel=1e-10) and 0.2 < share < 1
    expected = np.einsum('ndhw,d->nhw', features.double().numpy() - mean[:, None, None], component)
    heat = heat_maps(features, found).numpy()
    np.testing.assert_allclose(heat, expected, atol=1e-12)
    for mask, wanted in zip(heat > 0, expected > 0, strict=True):
        box, empty = component_box(mask, (97, 61))
        other, other_empty = component_box(wanted, (97, 61))
        assert box.tolist() == other.tolist() and empty == other_empty


@pytest.mark.parametrize('seed', [0, 1])
def test_streaming_is_pca_of_scikit_learn(seed):
    decomposition = pytest.importorskip('sklearn.decomposition')
    features = make_features(seed)
    cells = features.double().movedim(1, -1).flatten(0, -2).numpy()
    pca = decomposition.PCA(1, svd_solver='full').fit(cells)
    found = streamed(features, 5)
    np.testing.assert_allclose(found.mean, pca.mean_, rtol=1e-12)
    sign = np.sign(pca.components_[0].sum())
    np.testing.assert_allclose(found.component, sign * pca.components_[0], rtol=0, atol=1e-12)
    assert found.share == pytest.approx(pca.explained_variance_ratio_[0], rel=1e-10)
    expected = sign * pca.transform(cells).reshape(12, 5, 4)
    heat = heat_maps(features, found).numpy()
    np.testing.assert_allclose(heat, expected, atol=1e-12)
    for mask, wanted in zip(heat > 0, expected > 0, strict=True):
        assert component_box(mask, (97, 61))[0].tolist() == (
            component_box(wanted, (97, 61))[0].tolist()
        )


def test_float32_products_would_be_seen():
    """Small differences on a large mean: lost unless cells become float64 first."""
    features = make_features() * 1e-2 + 100
    _, component, _ = reference(features)
    np.testing.assert_allclose(streamed(features, 4).component, component, atol=1e-7)


def test_sign_does_not_depend_on_the_solver():
    features = make_features(3)
    heat = heat_maps(features, streamed(features, 4))
    assert np.corrcoef(heat.ravel(), features.mean(1).double().ravel())[0, 1] > 0
    # channels that fall where the others rise still leave the sign to the mean activation
    features = torch.cat([features, 5 - 3 * features[:, :3]], dim=1)
    heat = heat_maps(features, streamed(features, 4))
    assert np.corrcoef(heat.ravel(), features.mean(1).double().ravel())[0, 1] > 0


@pytest.mark.parametrize('sign', [1, -1])
def test_sign_of_a_sum_near_zero(sign):
    """Cells t (1, -0.8): the component is (1, -0.8) over its length, whose sum is 0.16."""
    t = sign * torch.arange(6.0).reshape(1, 1, 2, 3)
    found = streamed(torch.cat([t, -0.8 * t], dim=1), 1)
    np.testing.assert_allclose(found.component, np.array([1, -0.8]) / np.sqrt(1.64), rtol=1e-6)
    assert found.share == pytest.approx(1)


def test_small_variance_is_no_rounding():
    features = make_features().double() * 1e-4 + 100
    _, component, share = reference(features)
    found = streamed(features, 4)
    np.testing.assert_allclose(found.component, component, atol=1e-2)
    assert found.share == pytest.approx(share, rel=1e-2)


def test_hand_computed():
    """Cells (1, 1), (3, 3), (2, 2), (2, 4): covariance [[0.5, 0.5], [0.5, 1.25]]."""
    features = torch.tensor([[[[1.0, 3.0]], [[1.0, 3.0]]], [[[2.0, 2.0]], [[2.0, 4.0]]]])
    found = streamed(features, 1)
    assert found.mean.tolist() == [2, 2.5]
    value = (1.75 + np.sqrt(0.75**2 + 1)) / 2  # root of x^2 - 1.75 x + 0.375
    direction = np.array([0.5, value - 0.5])
    direction /= np.linalg.norm(direction)
    np.testing.assert_allclose(found.component, direction, rtol=1e-12)
    assert found.share == pytest.approx(value / 1.75)


def test_equal_cells_have_no_component():
    found = streamed(torch.full((3, 6, 2, 2), 0.1), 2)
    assert not found.component.any() and found.share == 0
    assert not (heat_maps(torch.full((1, 6, 2, 2), 0.1), found) > 0).any()
    for seed in range(6):  # rounding makes some of the variances positive
        cell = torch.rand(6, 1, 1, generator=torch.Generator().manual_seed(seed))
        found = streamed(cell.expand(3, 6, 5, 7), 2)
        assert not found.component.any() and found.share == 0
    found = streamed(torch.zeros(2, 3, 2, 2), 1)
    assert not found.component.any() and found.share == 0
    one = streamed(torch.rand(1, 6, 1, 1), 1)  # one image with one cell
    assert one.cells == 1 and not one.component.any()


def test_sums_of_several_processes(monkeypatch):
    """Two processes with the same images: twice the cells, the same statistics."""
    features = make_features()
    one, two = FeatureSums(7), FeatureSums(7)
    one.update(features)
    two.update(features)
    monkeypatch.setattr(ddt, 'all_reduce', lambda value: value.mul_(2))
    two.all_reduce()
    found, expected = two.statistics(), one.statistics()
    assert found.cells == 2 * expected.cells
    np.testing.assert_allclose(found.component, expected.component, rtol=1e-12)
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-12)


@pytest.mark.parametrize(
    'rank, batches', [(0, [['a', 'b'], ['g']]), (1, [['c', 'd']]), (2, [['e', 'f']])]
)
def test_batches_of_a_process(monkeypatch, rank, batches):
    monkeypatch.setattr(passes, 'get_rank', lambda: rank)
    monkeypatch.setattr(passes, 'get_world_size', lambda: 3)
    assert passes.own_batches(list('abcdefg'), 2) == batches


def test_errors():
    with pytest.raises(ValueError, match='no images'):
        FeatureSums(3).statistics()
    with pytest.raises(ValueError, match='NaN or infinity'):
        FeatureSums(2).update(torch.tensor([[[[1.0, 2.0]], [[1.0, float('nan')]]]]))
    statistics = DDTStatistics(np.zeros(3), np.zeros(3), 0.0, 1)
    with pytest.raises(ValueError, match='3 channels for features of 4'):
        heat_maps(torch.zeros(1, 4, 2, 2), statistics)
