"""Pixel ground truth against hand-drawn arrays and a loop over the pixels."""

import cv2
import numpy as np
import pytest

from wsl_plugins.structures import boxes_to_mask, read_localization_mask


def save(path, rows):
    cv2.imwrite(str(path), np.array(rows, np.uint8))
    return path


@pytest.fixture
def files(tmp_path):
    one = save(tmp_path / 'one.png', [[255, 0, 0, 0], [255, 0, 0, 0]])
    two = save(tmp_path / 'two.png', [[0, 0, 0, 0], [0, 1, 0, 0]])
    ignore = save(tmp_path / 'ignore.png', [[255, 255, 255, 0], [0, 255, 0, 0]])
    return one, two, ignore


def test_union_and_ignored_outside_objects(files):
    one, two, ignore = files
    mask = read_localization_mask([one, str(two)], ignore)
    assert mask.dtype == np.uint8
    assert mask.tolist() == [[1, 255, 255, 0], [1, 1, 0, 0]]
    assert read_localization_mask([one]).tolist() == [[1, 0, 0, 0], [1, 0, 0, 0]]


def test_size_is_width_height_and_nearest(files):
    one, two, ignore = files
    mask = read_localization_mask([one, two], ignore, (8, 2))
    assert mask.tolist() == [[1, 1, 255, 255, 255, 255, 0, 0], [1, 1, 1, 1, 0, 0, 0, 0]]


def test_sizes_may_differ_only_with_size(files, tmp_path):
    other = save(tmp_path / 'other.png', [[255]])
    with pytest.raises(ValueError, match='other.png is 1 x 1 pixels .* 4 x 2'):
        read_localization_mask([files[0], other])
    assert read_localization_mask([files[0], other], size=(2, 2)).tolist() == [[1, 1], [1, 1]]


def test_bad_files(files, tmp_path):
    with pytest.raises(FileNotFoundError, match='none.png'):
        read_localization_mask([tmp_path / 'none.png'])
    for content in (b'', b'text'):
        (tmp_path / 'text.png').write_bytes(content)
        with pytest.raises(ValueError, match='text.png: not an image'):
            read_localization_mask([files[0]], tmp_path / 'text.png')
    with pytest.raises(ValueError, match='at least one'):
        read_localization_mask([])


def test_boxes_fill_both_ends():
    rng = np.random.default_rng(0)
    for _ in range(50):
        width, height = rng.integers(1, 12, 2)
        boxes = rng.uniform(-3, 14, (rng.integers(1, 4), 4))
        boxes[:, 2:] = np.maximum(boxes[:, :2], boxes[:, 2:])
        expected = np.zeros((height, width), np.uint8)
        for y in range(height):
            for x in range(width):
                for x0, y0, x1, y1 in np.floor(boxes):
                    if x0 <= x <= x1 and y0 <= y <= y1:
                        expected[y, x] = 1
        result = boxes_to_mask(boxes, (width, height))
        assert result.dtype == np.uint8
        np.testing.assert_array_equal(result, expected)


def test_boxes_need_four_columns():
    with pytest.raises(ValueError, match=r'\(K, 4\), got \(4,\)'):
        boxes_to_mask(np.zeros(4), (3, 3))
