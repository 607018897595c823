"""What every method promises, on odd images, and what joining them does."""

import multiprocessing
import sys
from importlib.util import find_spec

import cv2
import numpy as np
import pytest

from wsl_plugins.files.images import find_images, read_pixels
from wsl_plugins.proposals.generate import generate
from wsl_plugins.proposals.joined import Joined
from wsl_plugins.proposals.recipe import BEST, DEFAULT, FAST, METHODS, Recipe, option_names, propose

NETWORKS = {'detector', 'sam'}  # which need a checkpoint: test_detector.py, test_sam.py
NAMES = [*(n for n in METHODS if n not in NETWORKS), 'dlib+selective_search+edge_boxes']
HERE = [n for n in NAMES if 'dlib' not in n or find_spec('dlib')]  # an optional library
RECIPES = {name: Recipe(name, {}) for name in HERE} | dict(fast=FAST, best=BEST)


def noise(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)


def textured(*shape):
    """Coarse patches under fine noise: what finds objects finds some."""
    patches = cv2.resize(noise(6, 8, 3), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return cv2.addWeighted(patches, 0.9, noise(*shape, 3), 0.1, 0)


FILES = {
    'grey': noise(40, 60),
    '16 bits': noise(40, 60, 3, dtype=np.uint16),
    'alpha': noise(40, 60, 4),
    'row': noise(1, 200, 3),
    'column': noise(200, 1, 3),
    'pixel': noise(1, 1, 3),
    'flat': np.full((60, 80, 3), 128, np.uint8),
    'black': np.zeros((60, 80, 3), np.uint8),
    'no edges': np.tile(np.linspace(0, 255, 80, dtype=np.uint8)[:, None], (60, 1, 3)),
    'long': noise(4, 900, 3),
    'high': noise(900, 4, 3),
    'tiny': noise(2, 3, 3),
    'textured': textured(60, 80),
}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('odd')
    for name, pixels in FILES.items():
        assert cv2.imwrite(str(folder / f'{name}.png'), pixels)
    return folder


@pytest.fixture(scope='module', params=RECIPES)
def made(request, folder):
    """The recipe, and for every file its image, boxes and scores."""
    recipe = RECIPES[request.param]
    proposer = recipe.proposer()
    images = {name: read_pixels(folder / f'{name}.png') for name in FILES}
    return recipe, {n: (i, *propose(i, proposer, recipe.min_side)) for n, i in images.items()}


def test_boxes_lie_inside_and_scores_are_finite(made):
    recipe, found = made
    scored = {scores is not None for _, _, scores in found.values()}
    assert scored == {'edge_boxes' in recipe.method or '+' in recipe.method}
    for name, (image, boxes, scores) in found.items():
        height, width = image.shape[:2]
        assert boxes.shape == (len(boxes), 4) and boxes.dtype == np.int32, name
        assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= [width, height]).all(), name
        sides = boxes[:, 2:] - boxes[:, :2]
        assert (sides >= max(1, recipe.min_side * min(height, width))).all(), name
        assert len(np.unique(boxes, axis=0)) == len(boxes), name
        if scores is not None:
            assert scores.shape == (len(boxes),) and np.isfinite(scores).all(), name
            assert (np.diff(scores) <= 0).all(), name
    for name in ('textured', 'grey', '16 bits', 'alpha'):
        assert len(found[name][1]) > 3, name


def test_order_is_fixed(made):
    recipe, found = made
    proposer = recipe.proposer()
    for name, (image, boxes, scores) in reversed(found.items()):
        again, their_scores = propose(image, proposer, recipe.min_side)
        assert again.tolist() == boxes.tolist(), name
        assert scores is None or their_scores.tolist() == scores.tolist(), name


def test_image_smaller_than_the_least_side(made):
    recipe, found = made
    boxes, scores = propose(found['grey'][0], recipe.proposer(), 41)
    assert boxes.shape == (0, 4) and (scores is None or scores.shape == (0,))


@pytest.mark.parametrize('method', HERE[-1:])  # it joins the others
def test_one_or_two_workers_write_the_same(method, folder, tmp_path):
    """One image to a shard: the workers take turns."""
    images = {n: p for n, p in find_images(folder)[0].items() if n in ('textured', 'flat', 'row')}
    contents = set()
    others = {*multiprocessing.active_children()}  # e.g. of metrics that earlier tests computed
    for workers in (1, 2):
        generate(images, Recipe(method, {}), out := tmp_path / f'{workers}.npz', workers)
        contents.add(out.read_bytes())
    assert len(contents) == 1
    assert others >= {*multiprocessing.active_children()}


def test_side_relative_to_the_image():
    def proposer(image):
        return np.array([[0, 0, 9, 30], [0, 0, 10, 10], [0, 0, 30, 8]]), None

    image = np.zeros((100, 200, 3), np.uint8)
    for least, kept in ((0.1, 1), (0.09, 2), (9, 2), (0.08, 3), (1, 3), (11, 0)):
        assert len(propose(image, proposer, least)[0]) == kept
    # a share of the image, not of what is searched
    assert len(propose(image, lambda _: (np.array([[0, 0, 5, 5]]), None), 0.1, 100)[0]) == 1
    assert len(propose(image, lambda _: (np.array([[0, 0, 4, 5]]), None), 0.1, 100)[0]) == 0


def test_joined_by_hand():
    without = np.array([[0, 0, 10, 10], [0, 0, 10, 20], [50, 50, 90, 90]]), None
    scored = np.array([[50, 50, 90, 91], [0, 0, 5, 5], [20, 20, 44, 44], [70, 0, 80, 9]])
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    boxes, new = Joined([], 100, 0.9).join([without, (scored, scores)])
    # by turns: the first box of the second method is the last one of the first
    expected = [[0, 0, 10, 10], [50, 50, 90, 91], [0, 0, 5, 5], [0, 0, 10, 20], [20, 20, 44, 44]]
    assert boxes.tolist() == [*expected, [70, 0, 80, 9]]
    np.testing.assert_allclose(new, np.arange(6, 0, -1) / 6)
    few, _ = Joined([], 3, 0.9).join([without, (scored, scores)])
    assert few.tolist() == expected[:3]
    # an overlap of just as much is none too much: 1600 of 1640 pixels
    all_boxes, _ = Joined([], 100, 1600 / 1640 + 1e-6).join([without, (scored, scores)])
    assert len(all_boxes) == 7
    none = np.zeros((0, 4), np.int32), None
    assert [a.shape for a in Joined([]).join([none, none])] == [(0, 4), (0,)]


def areas(boxes):
    return (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)


def test_any_cut_of_a_joined_file_has_boxes_of_all_methods_and_sizes():
    image = textured(120, 160)
    recipe = Recipe('selective_search+edge_boxes', dict(join_iou=0.99))
    searched_alone, _ = propose(image, Recipe('selective_search', {}).proposer(), 0.05)
    boxes, scores = propose(image, recipe.proposer(), 0.05)
    alone = {tuple(box) for box in searched_alone.tolist()}
    searched = np.array([tuple(box) in alone for box in boxes.tolist()])
    kept = searched[np.argsort(-scores, kind='stable')[:40]]
    assert 10 <= kept.sum() <= 30
    first, every = (areas(b) for b in (boxes[searched][:10], searched_alone))
    assert 3 <= (first > np.median(every)).sum() <= 7


def test_joined_methods_are_checked():
    assert option_names(DEFAULT.method) == ['mode', 'model', 'max_boxes', 'join_iou']
    for bad in ('selective_search+selective_search', 'edge_boxes+', '+', '', 'mcg+dlib'):
        with pytest.raises(ValueError, match="or several different ones with '.' between, got"):
            Recipe(bad, {})
    for bad in (0, 1, -0.5, float('nan')):
        with pytest.raises(ValueError, match='join_iou must be between 0 and 1, got'):
            Recipe(DEFAULT.method, dict(join_iou=bad)).proposer()
    with pytest.raises(ValueError, match='max_boxes must be at least 1, got 0'):
        Recipe(DEFAULT.method, dict(max_boxes=0)).proposer()
    with pytest.raises(ValueError, match='kvals is no option of method edge_boxes'):
        Recipe('edge_boxes', dict(kvals=(1, 2, 3)))
    assert DEFAULT.meta()['max_boxes'] == 1500
    with pytest.raises(ValueError, match='detector.sam cannot be joined: two have .* checkpoint'):
        Recipe('detector+sam', dict(config='a.py', checkpoint='a.pth'))
    with pytest.raises(ValueError, match='method edge_boxes.sam needs checkpoint'):
        Recipe('edge_boxes+sam', dict(min_iou=0.5))


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(kvals=(1, 2)), r'kvals must be \(first, last, number\) .* got \(1, 2\)'),
        (dict(kvals=(9, 2, 3)), 'kvals must be'),
        (dict(kvals=(-1, 2, 3)), 'kvals must be'),
        (dict(kvals=(1, 2, 0)), 'kvals must be'),
        (dict(kvals=(1, 2, 1.5)), 'kvals must be'),
        (dict(kvals=(1, float('inf'), 1)), 'kvals must be'),
        (dict(min_size=-1), 'min_size must be at least 0, got -1'),
        (dict(max_merging_iterations=-1), 'max_merging_iterations must be at least 0, got -1'),
    ],
)
def test_options_of_dlib_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        Recipe('dlib', options).proposer()


def test_options_of_dlib_decide(folder):
    pytest.importorskip('dlib')
    image = read_pixels(folder / 'textured.png')
    counts = [
        len(Recipe('dlib', options).proposer()(image)[0])
        for options in (
            dict(min_size=5, max_merging_iterations=0),
            dict(min_size=5),
            dict(min_size=0.1),
            dict(min_size=480),
        )
    ]
    assert counts[0] < counts[1] > counts[2] == counts[3]


def test_dlib_that_is_missing_is_told_with_the_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, 'dlib', None)
    with pytest.raises(ImportError, match=r"pip install dlib-bin, or 'wsl_plugins\[dlib\]'"):
        Recipe('dlib', {}).proposer()
