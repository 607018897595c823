"""Form and files of score maps."""

import cv2
import numpy as np
import pytest

from wsl_plugins.evaluation.functional.score_maps import normalize_score_map, resize_score_map
from wsl_plugins.files.formats.score_maps import (
    check_score_map,
    find_score_map,
    load_score_map,
    save_score_map,
)


def test_normalize_by_hand():
    got = normalize_score_map(np.array([[-1, 0], [1, 3]]))
    np.testing.assert_array_equal(got, [[0, 0.25], [0.5, 1]])
    assert got.dtype == np.float64
    thirds = np.array([[0, 1], [2, 3]], np.float32)
    np.testing.assert_array_equal(normalize_score_map(thirds), [[0, 1 / 3], [2 / 3, 1]])


def test_smallest_size():
    assert resize_score_map(np.random.rand(3, 4), 1).tolist() == [[0]]
    with pytest.raises(ValueError, match='at least 1, got 0'):
        resize_score_map(np.random.rand(3, 4), 0)
    with pytest.raises(ValueError, match='^score map: score map must be floating point, got int'):
        check_score_map(np.zeros((2, 2), int))


@pytest.mark.parametrize('value', [0, 7.5, -2])
def test_constant_map_is_zero(value):
    assert not resize_score_map(np.full((14, 14), value, dtype=np.float32)).any()


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_map_that_is_not_finite_is_zero(bad):
    score_map = np.arange(9.0).reshape(3, 3)
    score_map[1, 1] = bad
    assert not normalize_score_map(score_map).any()
    assert not resize_score_map(score_map, 12).any()


def test_input_is_kept():
    score_map = np.arange(9.0).reshape(3, 3)
    normalize_score_map(score_map)
    np.testing.assert_array_equal(score_map, np.arange(9.0).reshape(3, 3))


def test_cubic_interpolation_before_normalisation():
    """Cubic interpolation overshoots: normalised first, the map would leave [0, 1]."""
    score_map = np.zeros((14, 14), np.float32)
    score_map[6:8, 6:8] = 3
    doubled = cv2.resize(score_map.astype(np.float64), (224, 224), interpolation=cv2.INTER_CUBIC)
    assert doubled.min() < 0 and doubled.max() > 3
    expected = (doubled - doubled.min()) / (doubled - doubled.min()).max()
    got = resize_score_map(score_map)
    np.testing.assert_array_equal(got, expected)
    assert got.min() == 0 and got.max() == 1 and got.shape == (224, 224)


def test_cubic_weights_by_hand():
    """One row, doubled: weights of cv2's cubic kernel (a = -0.75) at -1/4 and +1/4, ends repeat."""
    row = np.array([0.0, 2.0, 1.0, 4.0])

    def kernel(x, a=-0.75):
        x = abs(x)
        if x <= 1:
            return (a + 2) * x**3 - (a + 3) * x**2 + 1
        return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0

    raw = [
        sum(kernel((i + 0.5) / 2 - 0.5 - j) * row[min(max(j, 0), 3)] for j in range(-3, 8))
        for i in range(8)
    ]
    expected = (np.array(raw) - min(raw)) / (max(raw) - min(raw))
    got = resize_score_map(np.tile(row, (4, 1)), 8)
    np.testing.assert_allclose(got, np.tile(expected, (8, 1)), atol=1e-6)


@pytest.mark.parametrize('bad', [np.zeros(4), np.zeros((1, 4, 4)), np.zeros((0, 3))])
def test_wrong_shape(bad):
    with pytest.raises(ValueError, match='2-D'):
        resize_score_map(bad)
    with pytest.raises(ValueError, match='at least 1, got 0'):
        resize_score_map(np.ones((2, 2)), 0)


def test_files_round_trip(tmp_path):
    score_map = np.random.default_rng(0).random((7, 5))
    path = save_score_map(tmp_path, 'a/b.jpg', score_map)
    assert path == tmp_path / 'a' / 'b.jpg.npy'
    assert [p.name for p in path.parent.iterdir()] == ['b.jpg.npy']
    np.testing.assert_array_equal(load_score_map(tmp_path, 'a/b.jpg'), score_map)
    assert np.load(path).dtype == np.float64  # what the published evaluator asks for


def test_name_without_extension(tmp_path):
    """The published docstring names the file after the id without its extension."""
    (tmp_path / '1.23').mkdir()
    np.save(tmp_path / '1.23' / 'x.y.npy', np.full((2, 2), 0.25, np.float32))
    got = load_score_map(tmp_path, '1.23/x.y.JPEG')
    assert got.dtype == np.float64 and (got == 0.25).all()
    save_score_map(tmp_path, '1.23/x.y.JPEG', np.ones((2, 2)))
    assert (load_score_map(tmp_path, '1.23/x.y.JPEG') == 1).all()  # the full name goes first
    assert find_score_map(tmp_path, '1.23/z.JPEG') is None
    with pytest.raises(FileNotFoundError, match=r'1.23/z.JPEG.npy: no such score map'):
        load_score_map(tmp_path, '1.23/z.JPEG')


@pytest.mark.parametrize('bad', ['../x.jpg', '/etc/x.jpg', 'a/../../x.jpg', '', 'a\\..\\x.jpg'])
def test_ids_that_leave_the_folder(tmp_path, bad):
    for call in (load_score_map, find_score_map):
        with pytest.raises(ValueError, match='names no file inside'):
            call(tmp_path / 'maps', bad)
    with pytest.raises(ValueError, match='names no file inside'):
        save_score_map(tmp_path / 'maps', bad, np.zeros((2, 2)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    'bad, message',
    [
        (np.zeros((2, 2), np.uint8), 'floating point, got uint8'),
        (np.zeros((2, 2, 1)), r'2-D and not empty, got \(2, 2, 1\)'),
        (np.zeros((0, 2)), r'2-D and not empty, got \(0, 2\)'),
        (np.array([[0, np.nan]]), 'NaN'),
        (np.array([[0, 1.5]]), r'in \[0, 1\], got 0 to 1.5'),
        (np.array([[-0.5, 1]]), r'in \[0, 1\], got -0.5 to 1'),
        (np.array([[0, np.inf]]), r'got 0 to inf'),
    ],
)
def test_invalid_maps(tmp_path, bad, message):
    np.save(tmp_path / 'x.jpg.npy', bad)
    with pytest.raises(ValueError, match=r'x\.jpg\.npy: .*' + message):
        load_score_map(tmp_path, 'x.jpg')
    with pytest.raises(ValueError, match=r'y\.jpg\.npy: .*' + message):
        save_score_map(tmp_path, 'y.jpg', bad)
    assert not (tmp_path / 'y.jpg.npy').exists()


@pytest.mark.parametrize(
    ('kind', 'rounding', 'too_far'),
    [(np.float32, 1.2e-7, 1e-6), (np.float64, 1.2e-7, 1e-6), (np.float16, 1e-3, 5e-3)],
)
def test_rounding_is_clipped(tmp_path, kind, rounding, too_far):
    """A map computed in float32 may reach 1.0000001; more is another scale."""
    score_map = np.array([[-rounding, 0.25], [1, 1 + rounding]]).astype(kind)
    assert score_map.max() > 1 and score_map.min() < 0
    np.save(tmp_path / 'x.jpg.npy', score_map)
    assert load_score_map(tmp_path, 'x.jpg').tolist() == [[0, 0.25], [1, 1]]
    save_score_map(tmp_path, 'y.jpg', score_map)
    assert np.load(tmp_path / 'y.jpg.npy').max() == 1
    for bad in ([[0, 1 + too_far]], [[-too_far, 1]]):
        with pytest.raises(ValueError, match=r'scores must be in \[0, 1\], got'):
            check_score_map(np.array(bad).astype(kind))


def test_raw_maps(tmp_path):
    np.save(tmp_path / 'x.npy', np.array([[-3, 200]], np.int16))
    got = load_score_map(tmp_path, 'x.jpg', raw=True)
    assert got.tolist() == [[-3, 200]] and got.dtype == np.float64
    for bad, message in (
        (np.array([[0, np.inf]]), 'x.npy: scores must be finite, got 0 to inf'),
        (np.array([[0, np.nan]]), 'x.npy: score map holds NaN'),
        (np.array([[True]]), 'x.npy: score map must be of numbers, got bool'),
        (np.array([[1j]]), 'x.npy: score map must be of numbers, got complex128'),
    ):
        np.save(tmp_path / 'x.npy', bad)
        with pytest.raises(ValueError, match=message):
            load_score_map(tmp_path, 'x.jpg', raw=True)


def test_files_that_are_no_arrays(tmp_path):
    np.save(tmp_path / 'pickled.npy', np.array([{'a': 1}]), allow_pickle=True)
    (tmp_path / 'text.npy').write_text('not an array')
    (tmp_path / 'empty.npy').write_bytes(b'')
    np.save(tmp_path / 'cut.npy', np.zeros((9, 9)))
    (tmp_path / 'cut.npy').write_bytes((tmp_path / 'cut.npy').read_bytes()[:-8])
    with open(tmp_path / 'archive.npy', 'wb') as file:
        np.savez(file, a=np.zeros((2, 2)))
    for name in ('pickled', 'text', 'empty', 'cut', 'archive'):
        with pytest.raises(ValueError, match=rf'{name}\.npy: .*\.npy format'):
            load_score_map(tmp_path, name)
