"""Hide-and-Seek: which pixels are hidden, how often, and with which colour."""

import numpy as np
import pytest

from wsl_plugins.registry import TRANSFORMS

BGR = [104, 116, 124]  # of the mean (123.675, 116.28, 103.53) in R, G, B


def hide(height, width, seed=0, **kwargs):
    np.random.seed(seed)
    transform = TRANSFORMS.build(dict(type='wsl_plugins.HideAndSeek', **kwargs))
    image = np.zeros((height, width, 3), np.uint8)
    result = transform(dict(img=image))['img']
    assert not image.any()  # the loaded image stays as it is
    assert result.dtype == np.uint8 and result.shape == image.shape
    return result


@pytest.mark.parametrize('kwargs', [dict(drop_rate=0.0), dict(cell_size=0), dict(cell_size=0.0)])
def test_identity(kwargs):
    assert not hide(40, 60, **kwargs).any()


@pytest.mark.parametrize('cell_size', [0.25, 0.3, 1.0, 7, 500])
def test_all_hidden(cell_size):
    assert (hide(41, 63, drop_rate=1.0, cell_size=cell_size) == BGR).all()


@pytest.mark.parametrize(
    'size, cell_size, rows, columns',
    [
        ((100, 300), 0.25, (0, 25, 50, 75, 100), (0, 75, 150, 225, 300)),
        ((100, 300), 40, (0, 40, 80, 100), (0, 40, 80, 120, 160, 200, 240, 280, 300)),
        ((300, 100), 120, (0, 120, 240, 300), (0, 100)),
        ((10, 20), 0.4, (0, 4, 8, 10), (0, 8, 16, 20)),
    ],
)
def test_cells_are_whole_and_cover_the_image(size, cell_size, rows, columns):
    counts = np.zeros((len(rows) - 1, len(columns) - 1))
    for seed in range(200):
        hidden = hide(*size, seed, drop_rate=0.3, cell_size=cell_size).any(axis=2)
        for i in range(len(rows) - 1):
            for j in range(len(columns) - 1):
                cell = hidden[rows[i] : rows[i + 1], columns[j] : columns[j + 1]]
                assert cell.all() or not cell.any()
                counts[i, j] += cell[0, 0]
    # 0.3 of 200 with a standard deviation of 6.5, in every cell alike, to the last column
    assert (abs(counts - 60) < 28).all() and counts.std() > 0


@pytest.mark.parametrize('size', [(20, 80), (80, 20), (40, 40)])
def test_cells_are_independent(size):
    hidden = [hide(*size, seed, cell_size=20)[::20, ::20].any(axis=2) for seed in range(200)]
    assert len({tuple(cells.ravel()) for cells in hidden}) == 16


def test_defaults():
    """Four by four cells, half of them hidden; any colour of bytes may be asked for."""
    hidden = np.stack([hide(40, 40, seed).any(axis=2) for seed in range(60)])
    cells = hidden[:, ::10, ::10]
    assert (cells.repeat(10, axis=1).repeat(10, axis=2) == hidden).all()
    assert abs(cells.mean() - 0.5) < 0.06 and (cells[:, 0, 0] != cells[:, 1, 0]).any()
    assert hide(4, 4, drop_rate=1.0, fill=(0, 255, 0))[0, 0].tolist() == [0, 255, 0]
    text = repr(TRANSFORMS.build(dict(type='wsl_plugins.HideAndSeek', fill=(1, 2, 3))))
    assert text == 'HideAndSeek(drop_rate=0.5, cell_size=0.25, fill=(1, 2, 3))'


def test_seed_and_colour():
    assert (hide(40, 40, 3) == hide(40, 40, 3)).all()
    assert (hide(40, 40, 3) != hide(40, 40, 4)).any()
    assert hide(4, 4, drop_rate=1.0, fill=(1, 2, 3))[0, 0].tolist() == [3, 2, 1]


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(drop_rate=1.1), 'drop_rate .* got 1.1'),
        (dict(drop_rate=-0.1), 'drop_rate .* got -0.1'),
        (dict(cell_size=1.5), 'cell_size .* got 1.5'),
        (dict(cell_size=-1), 'cell_size .* got -1'),
        (dict(cell_size=True), 'cell_size .* got True'),
        (dict(cell_size='4'), "cell_size .* got '4'"),
        (dict(fill=(1, 2)), 'fill .* got'),
        (dict(fill=(1, 2, 256)), 'fill .* got'),
        (dict(fill=(-1, 2, 3)), 'fill .* got'),
        (dict(cell_size=-0.5), 'cell_size .* got -0.5'),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        hide(4, 4, **kwargs)
