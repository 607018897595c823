"""Components against a flood fill, boxes against masks resized pixel by pixel."""

import numpy as np
import pytest

from wsl_plugins.pseudo_boxes.components import (
    above_threshold,
    component_box,
    largest_component,
    mask_box,
)


def flood_fill(mask, connectivity):
    """All components in row-major order of their first cell, as sorted lists of cells."""
    steps = [(0, 1), (1, 0), (0, -1), (-1, 0)]
    if connectivity == 8:
        steps += [(1, 1), (1, -1), (-1, 1), (-1, -1)]
    left = {tuple(cell) for cell in np.argwhere(mask).tolist()}
    components = []
    while left:
        todo, found = [min(left)], []
        left.remove(todo[0])
        while todo:
            y, x = todo.pop()
            found.append((y, x))
            for cell in [(y + dy, x + dx) for dy, dx in steps]:
                if cell in left:
                    left.remove(cell)
                    todo.append(cell)
        components.append(sorted(found))
    return components


@pytest.mark.parametrize('connectivity', [4, 8])
def test_largest_component(connectivity):
    generator = np.random.default_rng(0)
    ties = 0
    for _ in range(400):
        mask = generator.random((6, 7)) < generator.choice([0.15, 0.3, 0.5])
        components = flood_fill(mask, connectivity)
        sizes = [len(component) for component in components]
        ties += sizes.count(max(sizes, default=0)) > 1
        expected = components[sizes.index(max(sizes))] if sizes else []
        found = largest_component(mask, connectivity)
        assert sorted(map(tuple, np.argwhere(found).tolist())) == expected
    assert ties > 50


def test_corners_join_with_8_only():
    mask = np.eye(3, dtype=bool)
    for connectivity in (4, 8):
        assert largest_component(mask, connectivity).dtype == bool
        assert largest_component(mask & False, connectivity).dtype == bool
        for one in (mask, mask & False):
            assert component_box(one, (6, 9), connectivity)[0].dtype == np.float64
    assert largest_component(mask).sum() == 3
    assert np.argwhere(largest_component(mask, 4)).tolist() == [[0, 0]]
    with pytest.raises(ValueError, match='must be 4 or 8, got 6'):
        largest_component(mask, 6)


def nearest_box(mask, size):
    """Box around the mask upsampled with x -> floor(x w / W)."""
    width, height = size
    rows, columns = mask.shape
    pixels = [
        (x, y)
        for y in range(height)
        for x in range(width)
        if mask[y * rows // height, x * columns // width]
    ]
    xs, ys = zip(*pixels, strict=True)
    return [min(xs), min(ys), max(xs) + 1, max(ys) + 1]


@pytest.mark.parametrize('size', [(7, 6), (14, 18), (50, 31), (23, 97), (8, 6)])
def test_box_of_the_upsampled_mask(size):
    generator = np.random.default_rng(1)
    for _ in range(40):
        mask = generator.random((6, 7)) < 0.1
        if mask.any():
            assert mask_box(mask, size).tolist() == nearest_box(mask, size)


def test_image_smaller_than_the_map():
    for column in range(14):
        mask = np.zeros((14, 14), bool)
        mask[13, column] = True
        x1, y1, x2, y2 = mask_box(mask, (3, 5))
        assert 0 <= x1 < x2 <= 3 and (y1, y2) == (4, 5) and x2 == x1 + 1


def test_whole_image_if_empty():
    assert mask_box(np.zeros((3, 4), bool), (20, 10)) is None
    box, empty = component_box(np.zeros((3, 4), bool), (20, 10))
    assert box.tolist() == [0, 0, 20, 10] and empty
    mask = np.array([[1, 0, 0, 0], [0, 0, 1, 1]], bool)
    box, empty = component_box(mask, (20, 10))
    assert box.tolist() == [10, 5, 20, 10] and not empty


def test_above_threshold():
    score_map = np.array([[0.0, 0.25], [0.5, 1.0]])  # mean 0.4375
    assert above_threshold(score_map).tolist() == [[False, False], [True, True]]
    assert above_threshold(score_map, 0.5).tolist() == [[False, False], [False, True]]
    assert above_threshold(score_map, 0).tolist() == [[False, True], [True, True]]
    for value in np.linspace(0, 1, 101):  # constant, whatever the mean is rounded to
        assert not above_threshold(np.full((14, 14), value)).any()
