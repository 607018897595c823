"""Selective search, edge boxes and the recipe around them."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from wsl_plugins.proposals import ProposalFile
from wsl_plugins.proposals.edge_boxes import EdgeBoxes, boxes_from_edges
from wsl_plugins.proposals.gradient_edges import gradient_edges
from wsl_plugins.proposals.recipe import Recipe, propose
from wsl_plugins.proposals.selective_search import SelectiveSearch


def rectangle_image():
    """A white rectangle (40, 30, 110, 90) on black."""
    image = np.zeros((120, 160, 3), np.uint8)
    image[30:90, 40:110] = 255
    return image


def iou(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    inter = max(w, 0) * max(h, 0)
    return inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter)


@pytest.mark.parametrize('mode', ['fast', 'quality'])
def test_selective_search_finds_the_rectangle(mode):
    boxes, scores = SelectiveSearch(mode)(rectangle_image())
    assert scores is None
    found = {tuple(b) for b in boxes.tolist()}
    assert (0, 0, 160, 120) in found  # the whole image: ends are exclusive
    assert max(iou(b, (40, 30, 110, 90)) for b in found) > 0.85


def test_selective_search_gives_the_same_set_again():
    image = cv2.resize(
        np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8), (80, 60)
    )
    search = SelectiveSearch('fast')
    first = {tuple(b) for b in search(image)[0].tolist()}
    search(rectangle_image())  # one object serves many images
    assert {tuple(b) for b in search(image)[0].tolist()} == first
    assert len(first) > 5


def test_selective_search_mode_is_checked():
    with pytest.raises(ValueError, match=r"one of \('fast', 'quality'\), got 'slow'"):
        SelectiveSearch('slow')


def test_opencv_without_contrib_is_told_with_the_cure(monkeypatch):
    monkeypatch.delattr(cv2, 'ximgproc')
    version = cv2.__version__.replace('.', r'\.')
    with pytest.raises(ImportError, match=rf'pip install .*contrib-python-headless=={version}'):
        SelectiveSearch()


def test_edge_boxes_find_the_rectangle(edge_model):
    boxes, scores = EdgeBoxes(edge_model)(rectangle_image())
    assert len(boxes) == len(scores) > 20
    assert boxes[:, 2].max() <= 160 and boxes[:, 3].max() <= 120
    assert iou(boxes[scores.argmax()], (40, 30, 110, 90)) > 0.75
    few, _ = EdgeBoxes(edge_model, max_boxes=7)(rectangle_image())
    assert len(few) == 7


def test_edge_boxes_of_an_empty_image(edge_model):
    boxes, scores = EdgeBoxes(edge_model)(np.zeros((60, 80, 3), np.uint8))
    assert boxes.shape == (0, 4) and scores.shape == (0,)


def test_edge_boxes_of_a_drawn_outline():
    edges = np.zeros((100, 140), np.float32)
    edges[20, 30:100] = edges[79, 30:100] = edges[20:80, 30] = edges[20:80, 99] = 1
    orientation = np.zeros_like(edges)
    orientation[[20, 79]] = np.pi / 2
    boxes, scores = boxes_from_edges(edges, orientation, 50)
    assert 0 < len(boxes) == len(scores) <= 50
    assert iou(boxes[scores.argmax()], (30, 20, 100, 80)) > 0.8


def test_edge_boxes_without_a_model():
    boxes, scores = EdgeBoxes(max_boxes=100)(rectangle_image())
    assert 0 < len(boxes) == len(scores) <= 100
    assert iou(boxes[scores.argmax()], (40, 30, 110, 90)) > 0.8
    again, _ = EdgeBoxes(max_boxes=100)(rectangle_image())
    assert again.tolist() == boxes.tolist()
    meta = Recipe('edge_boxes', {}).meta()
    assert meta['edges'] == 'gradient' and 'model_sha256' not in meta


def test_gradient_edges_by_hand():
    """A step between columns 14 and 15 that is twice as strong in green and blue as in red."""
    image = np.zeros((20, 30, 3), np.uint8)
    image[:, 15:] = 200, 200, 100
    edges, direction = gradient_edges(image)
    assert edges.dtype == direction.dtype == np.float32 and edges.max() == 1
    assert np.flatnonzero(edges.max(axis=0)).tolist() == [14, 15]
    assert (direction[edges > 0] == 0).all()
    turned, direction = gradient_edges(np.ascontiguousarray(image.transpose(1, 0, 2)))
    np.testing.assert_allclose(turned, edges.T, atol=1e-6)
    np.testing.assert_allclose(direction[turned > 0], np.pi / 2, atol=1e-6)


@pytest.mark.parametrize('size', [(1, 300), (300, 1), (1, 1), (4, 900), (2, 2), (60, 80)])
@pytest.mark.parametrize('flat', [True, False])
def test_edge_boxes_of_odd_images(size, flat):
    image = np.full((*size, 3), 128, np.uint8)
    if not flat:
        image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    boxes, scores = EdgeBoxes()(image)
    assert boxes.shape == (len(scores), 4) and np.isfinite(scores).all()
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= [size[1], size[0]]).all()
    assert not (flat and len(boxes))


@pytest.mark.parametrize('text', ['%YAML:1.0\n---\na: 1\n', 'no model', ''])
def test_other_files_are_no_edge_model(tmp_path, text):
    path = tmp_path / 'model.yml'
    path.write_text(text)
    with pytest.raises(ValueError, match='model.yml: not a structured edge model'):
        EdgeBoxes(path)


def test_edge_box_arguments_are_checked(edge_model, tmp_path):
    with pytest.raises(FileNotFoundError, match='none.yml: no such edge model'):
        EdgeBoxes(tmp_path / 'none.yml')
    with pytest.raises(ValueError, match='max_boxes must be at least 1, got 0'):
        EdgeBoxes(edge_model, max_boxes=0)


def test_reduced_input_scales_boxes_back():
    seen = []

    def proposer(image):
        seen.append(image.shape)
        return np.array([[1, 2, 20, 10], [0, 0, 3, 10], [1, 2, 20, 10]]), None

    boxes, _ = propose(np.zeros((60, 80, 3), np.uint8), proposer, 20, max_side_input=20)
    assert seen == [(15, 20, 3)]
    # times 4: (4, 8, 80, 40), once; (0, 0, 12, 40) is too narrow
    assert boxes.tolist() == [[4, 8, 80, 40]]
    propose(np.zeros((60, 80, 3), np.uint8), proposer, 20, max_side_input=80)
    assert seen[1] == (60, 80, 3)


def test_recipe_tells_what_identifies_it(edge_model):
    meta = Recipe('selective_search', {}).meta()
    assert meta == {
        'method': 'selective_search',
        'mode': 'fast',
        'min_side': 0.05,
        'max_side_input': None,
        'opencv': cv2.__version__,
    }
    meta = Recipe('edge_boxes', {'model': edge_model}, min_side=5).meta()
    assert meta['min_side'] == 5 and meta['max_boxes'] == 2000 and len(meta['model_sha256']) == 64


def test_recipe_is_checked():
    with pytest.raises(ValueError, match=r"'sam', 'selective_search'\], .* got 'mcg'"):
        Recipe('mcg', {})
    with pytest.raises(ValueError, match='min_side must be above 0, got 0'):
        Recipe('selective_search', {}, min_side=0)
    with pytest.raises(ValueError, match='must be at least 20 with min_side 0.05, got 10'):
        Recipe('selective_search', {}, max_side_input=10)


@pytest.mark.skipif('WSL_PLUGINS_DATA' not in os.environ, reason='needs WSL_PLUGINS_DATA')
def test_real_images_give_the_published_boxes():
    voc = Path(os.environ['WSL_PLUGINS_DATA']) / 'VOCdevkit' / 'VOC2007'
    expected = ProposalFile.load(voc / 'proposals' / 'selective_search_fast_train.npz')
    search = SelectiveSearch('fast')
    for image_id in expected.ids[:: len(expected) // 5].tolist():
        image = cv2.imread(str(voc / 'JPEGImages' / f'{image_id}.jpg'))
        boxes, _ = propose(image, search, min_side=14)
        assert np.array_equal(boxes, expected.boxes_of(image_id)), image_id
