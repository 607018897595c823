"""Boxes of score maps."""

import numpy as np
import pytest

from wsl_plugins.files.formats.score_maps import load_score_map, save_score_map
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata
from wsl_plugins.pseudo_boxes.from_score_maps import boxes_from_score_maps

CLASSES = {0: 'a', 1: 'b'}


@pytest.fixture
def metadata(tmp_path):
    ids = ['x/1.jpg', 'x/2.jpg', 'x/3.jpg']
    sizes = {'x/1.jpg': (20, 10), 'x/2.jpg': (8, 8), 'x/3.jpg': (30, 40)}
    return WSOLMetadata(tmp_path / 'test', ids, dict(zip(ids, (0, 1, 0), strict=True)), sizes)


@pytest.fixture
def maps(tmp_path, metadata):
    first = np.zeros((4, 4))
    first[0, 0] = 1.0  # strong, but a smaller component
    first[2:, 2:] = 0.4
    first[2, 1] = 0.2
    for image_id, score_map in zip(
        metadata.image_ids, (first, np.zeros((4, 4)), np.eye(4)), strict=True
    ):
        save_score_map(tmp_path / 'maps', image_id, score_map)
    return tmp_path / 'maps'


def test_boxes(maps, metadata):
    result = boxes_from_score_maps(maps, metadata, CLASSES, 0.2)
    assert result.boxes['x/1.jpg'].tolist() == [[10, 5, 20, 10]]  # 0.2 itself is not above
    assert result.boxes['x/2.jpg'].tolist() == [[0, 0, 8, 8]]
    assert result.boxes['x/3.jpg'].tolist() == [[0, 0, 30, 40]]  # joined at corners
    assert [result.labels[i].tolist() for i in result.labels] == [[0], [1], [0]]
    options = dict(method='score maps', threshold=0.2, connectivity=8)
    assert result.info == dict(options, whole_image=1)
    lower = boxes_from_score_maps(maps, metadata, CLASSES, 0.19)
    assert lower.boxes['x/1.jpg'].tolist() == [[5, 5, 20, 10]]
    lowest = boxes_from_score_maps(maps, metadata, CLASSES, 0)
    assert lowest.boxes['x/1.jpg'].tolist() == [[5, 5, 20, 10]]
    higher = boxes_from_score_maps(maps, metadata, CLASSES, 0.5, connectivity=4)
    assert higher.boxes['x/1.jpg'].tolist() == [[0, 0, 5, 3]]
    assert higher.boxes['x/3.jpg'].tolist() == [[0, 0, 8, 10]]


def test_mean_of_each_map(maps, metadata):
    """0.175, so that the cell of 0.2 belongs to the first box; 0, above which is nothing; 0.25."""
    result = boxes_from_score_maps(maps, metadata, CLASSES)
    assert [box.tolist() for (box,) in result.boxes.values()] == [
        [5, 5, 20, 10],
        [0, 0, 8, 8],
        [0, 0, 30, 40],
    ]
    options = dict(method='score maps', threshold='mean', connectivity=8)
    assert result.info == dict(options, whole_image=1)
    save_score_map(
        maps, 'x/1.jpg', load_score_map(maps, 'x/1.jpg') ** 2
    )  # mean 0.105: the cell has 0.04
    result = boxes_from_score_maps(maps, metadata, CLASSES)
    assert result.boxes['x/1.jpg'].tolist() == [[10, 5, 20, 10]]


def test_bad_input(maps, metadata):
    for threshold in (-0.1, 1.0, float('nan')):
        with pytest.raises(ValueError, match=r'threshold of score maps must be in \[0, 1\), got'):
            boxes_from_score_maps(maps, metadata, CLASSES, threshold)
    (maps / 'x/2.jpg.npy').unlink()
    with pytest.raises(FileNotFoundError, match='no score map for 1 of 3 images: x/2.jpg'):
        boxes_from_score_maps(maps, metadata, CLASSES, 0.2)
    metadata.sizes.pop('x/3.jpg')
    with pytest.raises(ValueError, match='image_sizes.txt lacks 1 of 3 images, .*x/3.jpg'):
        boxes_from_score_maps(maps, metadata, CLASSES, 0.2)
