"""Proposals that come with the images, and how missing ones are to be made."""

import json

import cv2
import numpy as np
import pytest
from mmengine.config import Config, ConfigDict

from wsl_plugins.apis.proposals import (
    check_proposals,
    given_proposals,
    recipe_of,
)
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.proposals.origin import mixed_origins, other_origin
from wsl_plugins.proposals.recipe import DEFAULT, Recipe

BOXES = {'a': np.array([[0, 0, 9, 9], [1, 2, 3, 4]]), 'b': np.array([[5, 5, 7, 8]])}


def write(path, meta=None, scores=None):
    ProposalFile.from_images(BOXES, scores, meta).save(path)
    return path


def test_by_file(tmp_path):
    path = write(tmp_path / 'p.npz')
    for given in (path, str(path), ProposalFile.load(path)):
        first, second = given_proposals(given, ['x/b.jpg', 'a.png'])
        assert list(first) == ['bboxes'] and first['bboxes'].dtype == np.float32
        np.testing.assert_array_equal(first['bboxes'], BOXES['b'])
        np.testing.assert_array_equal(second['bboxes'], BOXES['a'])
    scores = {'a': np.array([0.5, 0.25]), 'b': np.array([1.0])}
    (found,) = given_proposals(write(path, scores=scores), ['a.jpg'])
    np.testing.assert_array_equal(found['scores'], [0.5, 0.25])


def test_by_array():
    one, two = BOXES.values()
    for given, images in (([one, two], ['x', 'y']), (one, ['x']), ([one], [np.zeros((4, 4, 3))])):
        found = given_proposals(given, images)
        assert len(found) == len(images)
        assert found[0]['bboxes'].dtype == np.float32
        np.testing.assert_array_equal(found[0]['bboxes'], one)
    assert given_proposals(np.zeros((0, 4)), ['x'])[0]['bboxes'].shape == (0, 4)


def test_what_does_not_fit(tmp_path):
    path = write(tmp_path / 'p.npz')
    with pytest.raises(FileNotFoundError, match=r'q\.npz: no such proposal file'):
        given_proposals(tmp_path / 'q.npz', ['a.png'])
    with pytest.raises(ValueError, match=r"p\.npz: no proposals for image 'c' \(x/c\.png\)"):
        given_proposals(path, ['a.png', 'x/c.png'])
    with pytest.raises(ValueError, match=r'p\.npz: an image given as an array has no name'):
        given_proposals(path, [np.zeros((4, 4, 3))])
    with pytest.raises(ValueError, match='proposals of 2 images for 1 images'):
        given_proposals(list(BOXES.values()), ['a'])
    with pytest.raises(ValueError, match='proposals of 1 images for 2 images'):
        given_proposals(BOXES['a'], ['a', 'b'])
    for bad in (np.zeros((2, 5)), np.full((1, 4), np.nan), np.zeros(4)):
        with pytest.raises(ValueError, match=r'finite numbers \(R, 4\), got shape'):
            given_proposals([bad], ['a'])


def test_recipe_of_the_data(tmp_path):
    meta = dict(method='selective_search', mode='quality', min_side=30, max_side_input=400)
    write(tmp_path / 'p.npz', meta)
    dataset = ConfigDict(data_root=str(tmp_path), proposal_file='p.npz')
    expected = Recipe('selective_search', dict(mode='quality'), 30, 400)
    assert recipe_of(dataset) == expected
    assert recipe_of(ConfigDict(proposal_file=str(tmp_path / 'p.npz'))) == expected


def test_recipe_of_joined_data(tmp_path):
    pytest.importorskip('dlib')
    dataset = ConfigDict(data_root=str(tmp_path), proposal_file='p.npz')
    options = dict(mode='quality', max_boxes=70, join_iou=0.8, kvals=[5, 9, 2])
    for recipe in (DEFAULT, Recipe('dlib+selective_search+edge_boxes', options, 0.1, 400)):
        meta = json.loads(json.dumps(recipe.meta()))
        write(tmp_path / 'p.npz', meta)
        assert recipe_of(dataset).meta() == recipe.meta()
        assert other_origin(dataset) is None
        assert 'join_iou 0.5 (there: ' in other_origin(dataset, dict(meta, join_iou=0.5))
    assert 'dlib 19.0 (there: 20' in other_origin(dataset, dict(meta, dlib='19.0'))


def test_recipe_of_unknown_data(tmp_path):
    write(tmp_path / 'silent.npz', dict(source='someone'))
    for name in ('silent.npz', 'none.npz', None, 'other.pkl'):
        (tmp_path / 'other.pkl').touch()
        dataset = ConfigDict(data_root=str(tmp_path), proposal_file=name)
        assert recipe_of(dataset) == DEFAULT
    assert recipe_of(ConfigDict()) == DEFAULT


def test_proposals_of_another_origin(tmp_path):
    meta = dict(method='selective_search', mode='fast', min_side=30, opencv='3.4.18')
    write(tmp_path / 'p.npz', meta)
    dataset = ConfigDict(data_root=str(tmp_path), proposal_file='p.npz')
    said = f'made otherwise than those of {tmp_path / "p.npz"}: '
    assert other_origin(dataset).endswith(f'{said}OpenCV {cv2.__version__[0]} (there: 3)')
    assert other_origin(dataset, dict(meta, opencv='3.1.0')) is None
    assert other_origin(dataset, {}) is None
    told = other_origin(dataset, dict(method='edge_boxes', min_side=20))
    assert told.endswith(
        f'{said}method edge_boxes (there: selective_search), min_side 20 (there: 30)'
    )
    assert other_origin(ConfigDict(proposal_file='absent.npz')) is None
    write(tmp_path / 'p.npz', dict(method='edge_boxes', max_boxes=10, edges='gradient'))
    told = other_origin(dataset, dict(method='edge_boxes', max_boxes=20, edges='gradient'))
    assert told.endswith(f'{said}max_boxes 20 (there: 10)')


def test_proposals_of_one_config_that_were_made_otherwise(tmp_path):
    meta = dict(method='selective_search', mode='fast', opencv='4.12.0')
    for name, changes in dict(train={}, same={}, new=dict(opencv='5.0.0')).items():
        write(tmp_path / f'{name}.npz', {**meta, **changes})

    def told(train, val, test):
        files = zip(('train', 'val', 'test'), (train, val, test), strict=True)
        loaders = {
            f'{part}_dataloader': None
            if file is None
            else dict(dataset=dict(data_root=str(tmp_path), proposal_file=file))
            for part, file in files
        }
        return mixed_origins(Config(loaders))

    assert told('train.npz', 'same.npz', 'same.npz') == []
    assert told('train.npz', None, 'absent.npz') == told(None, None, None) == []
    (line,) = told('train.npz', 'new.npz', 'new.npz')
    assert line.startswith(f'{tmp_path / "new.npz"}: the proposals are made otherwise than those')
    assert line.endswith('train.npz: OpenCV 5 (there: 4)')


@pytest.mark.parametrize(
    ('key', 'changed'),
    [('config_sha256', 'ef'), ('model_sha256', 'ef'), ('min_iou', 0.5), ('min_stability', 0.5)],
)
def test_networks_of_another_origin(tmp_path, key, changed):
    """All that decides about boxes counts; the device does not."""
    meta = dict(method='sam', model_sha256='ab', device='cpu', opencv='4.12.0')
    if key == 'config_sha256':
        meta.update(method='detector', config_sha256='cd')
    else:
        meta.update(min_iou=0.88, min_stability=0.95)
    write(tmp_path / 'p.npz', meta)
    dataset = ConfigDict(data_root=str(tmp_path), proposal_file='p.npz')
    assert other_origin(dataset, dict(meta, device='cuda')) is None
    told = other_origin(dataset, {**meta, key: changed})
    assert told.endswith(f'p.npz: {key} {changed} (there: {meta[key]})')


def test_edge_boxes_need_their_model(tmp_path):
    write(tmp_path / 'p.npz', dict(method='edge_boxes', max_boxes=10, model_sha256='12'))
    words = r'p\.npz was made by edge_boxes with a model file: give the proposals'
    with pytest.raises(ValueError, match=words):
        recipe_of(ConfigDict(data_root=str(tmp_path), proposal_file='p.npz'))
    write(tmp_path / 'p.npz', dict(method='edge_boxes', max_boxes=10, edges='gradient'))
    recipe = recipe_of(ConfigDict(data_root=str(tmp_path), proposal_file='p.npz'))
    assert recipe == Recipe('edge_boxes', dict(max_boxes=10), 20)


def test_images_that_a_file_lacks(tmp_path):
    file = ProposalFile.load(write(tmp_path / 'p.npz', dict(broken=dict(c='cannot be read'))))
    check_proposals(file, ['x/a.jpg', 'b.png', 'c.png'])
    with pytest.raises(ValueError, match=r'p\.npz: no proposals for 2 of 3 images, the first: d'):
        check_proposals(file, ['d.png', 'a.png', 'e.png'])
