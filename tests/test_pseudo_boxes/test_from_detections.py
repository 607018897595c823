"""Boxes of detections: COCO lists, pickles of test runs."""

import json
import pickle

import numpy as np
import pytest
import torch

from wsl_plugins.files.formats.detection_files import (
    DetectedImage,
    images_of_coco,
    read_results_json,
    read_results_pickle,
)
from wsl_plugins.pseudo_boxes.from_detections import boxes_from_detections
from wsl_plugins.pseudo_boxes.selection import Top

ANN = dict(
    images=[
        dict(id=9, file_name='a.jpg', width=50, height=40),
        dict(id=4, file_name='b.jpg', width=30, height=20),
    ],
    annotations=[
        dict(id=1, image_id=9, category_id=3, bbox=[0, 0, 1, 1]),
        dict(id=2, image_id=9, category_id=7, bbox=[0, 0, 1, 1]),
        dict(id=3, image_id=9, category_id=3, bbox=[5, 5, 1, 1]),
    ],
    categories=[dict(id=3, name='cat'), dict(id=7, name='dog')],
)
RESULTS = [
    dict(image_id=9, category_id=3, bbox=[1, 2, 10, 10], score=0.4),
    dict(image_id=9, category_id=3, bbox=[3, 2, 10, 10], score=0.9),
    dict(image_id=9, category_id=3, bbox=[5, 2, 60, 10], score=0.9),
    dict(image_id=9, category_id=7, bbox=[60, 2, 9, 10], score=0.8),
    dict(image_id=4, category_id=7, bbox=[1, 2, 9, 10], score=0.8),
]


@pytest.fixture
def read(tmp_path):
    def read(results, ann=ANN):
        for name, content in (('ann', ann), ('results', results)):
            (tmp_path / f'{name}.json').write_text(json.dumps(content))
        images, classes = images_of_coco(tmp_path / 'ann.json')
        return read_results_json(tmp_path / 'results.json', images, classes), classes

    return read


def test_best_box_of_each_image_label(read):
    images, classes = read(RESULTS)
    result = boxes_from_detections(images, classes)
    # the first of equal scores; class 7: its box lies outside; b.jpg: not labelled with 7
    assert result.boxes['a.jpg'].tolist() == [[3, 2, 13, 12]]
    assert result.labels['a.jpg'].tolist() == [3] and result.scores['a.jpg'].tolist() == [0.9]
    assert result.boxes['b.jpg'].shape == (0, 4)
    assert result.info['labels_without_box'] == 1
    assert result.sizes == {'a.jpg': (50, 40), 'b.jpg': (30, 20)}
    assert result.classes == {3: 'cat', 7: 'dog'}


def test_top_and_threshold(read):
    images, classes = read(RESULTS)
    three = boxes_from_detections(images, classes, Top(3))
    assert three.boxes['a.jpg'].tolist() == [[3, 2, 13, 12], [5, 2, 50, 12], [1, 2, 11, 12]]
    two = boxes_from_detections(images, classes, Top(3, score_thr=0.9))
    assert two.scores['a.jpg'].tolist() == [0.9, 0.9]
    assert two.info['select'] == dict(name='top', top=3, score_thr=0.9)
    none = boxes_from_detections(images, classes, Top(score_thr=0.91))
    assert none.info['labels_without_box'] == 2
    image = DetectedImage((9, 9), [3], np.array([[0, 0, np.nan, 1]]), np.ones(1), np.array([3]))
    with pytest.raises(ValueError, match="image 'x': a detection is not finite"):
        boxes_from_detections({'x': image}, classes)


def test_bad_json(read, tmp_path):
    with pytest.raises(ValueError, match='results.json: detection 1 is of unknown image 5'):
        read([RESULTS[0], dict(RESULTS[1], image_id=5)])
    with pytest.raises(ValueError, match='results.json: detection 0 is malformed: .*score'):
        read([dict(image_id=9, category_id=3, bbox=[1, 2, 10, 10])])
    with pytest.raises(ValueError, match='results.json: needs a list of detections, got dict'):
        read({})
    with pytest.raises(ValueError, match=r'ann.json: .*annotations\[0\] has unknown image_id 5'):
        read(RESULTS, dict(ANN, annotations=[dict(image_id=5, category_id=3)]))


def sample(path='data/x/a.jpg', labels=(0, 1, 1), **changes):
    """What mmdet's dump holds of an image: tensors, and arrays in the meta."""
    found = dict(
        bboxes=torch.tensor([[1.0, 2.0, 11.0, 12.0], [0.0, 0.0, 5.0, 5.0], [2.0, 2.0, 9.0, 9.0]]),
        scores=torch.tensor([0.25, 0.5, 0.75]),
        labels=torch.tensor([1, 0, 1]),
    )
    info = dict(img_path=path, ori_shape=(40, 50), img_id='a', scale_factor=np.array([1.5, 1.5]))
    return dict(info, image_labels=torch.tensor(labels), pred_instances=found, **changes)


def test_pickle(tmp_path):
    path = tmp_path / 'r.pkl'
    samples = [sample(), sample('data/y/b.jpg', (1, 0, 0))]
    path.write_bytes(pickle.dumps(samples))
    images = read_results_pickle(path)
    assert list(images) == ['a.jpg', 'b.jpg'] and images['a.jpg'].size == (50, 40)
    result = boxes_from_detections(images, {0: 'p', 1: 'q', 2: 'r'})
    assert result.boxes['a.jpg'].tolist() == [[2, 2, 9, 9]] and result.labels['a.jpg'] == [1]
    assert result.boxes['b.jpg'].tolist() == [[0, 0, 5, 5]]
    assert result.info['labels_without_box'] == 1
    assert list(read_results_pickle(path, 'data')) == ['x/a.jpg', 'y/b.jpg']
    with pytest.raises(ValueError, match='image data/y/b.jpg does not lie in data/x'):
        read_results_pickle(path, 'data/x')


class Malicious:
    def __reduce__(self):
        return print, ('was run',)


class MaliciousStorage:
    """A tensor's memory whose bytes are a pickle themselves."""

    def __reduce__(self):
        return torch.storage._load_from_bytes, (pickle.dumps(Malicious()),)


@pytest.mark.parametrize('content', [Malicious(), MaliciousStorage()])
def test_pickles_are_not_run(tmp_path, capsys, content):
    (tmp_path / 'r.pkl').write_bytes(pickle.dumps([content]))
    with pytest.raises(ValueError, match='r.pkl: not read'):
        read_results_pickle(tmp_path / 'r.pkl')
    assert 'was run' not in capsys.readouterr().out


def test_bad_pickles(tmp_path):
    path = tmp_path / 'r.pkl'
    with pytest.raises(FileNotFoundError, match='r.pkl: no such file'):
        read_results_pickle(path)
    broken = sample()
    broken.pop('image_labels')
    for samples, message in (
        ([], 'needs a list of data samples'),
        ([sample(), broken], "data sample 1 lacks 'image_labels'"),
        ([sample(), sample('data/y/a.jpg')], "'a.jpg' stands there twice .give --data-root"),
    ):
        path.write_bytes(pickle.dumps(samples))
        with pytest.raises(ValueError, match=f'r.pkl: .*{message}'):
            read_results_pickle(path)
    path.write_bytes(pickle.dumps([sample()])[:-20])
    with pytest.raises(ValueError, match='r.pkl: not read'):
        read_results_pickle(path)
