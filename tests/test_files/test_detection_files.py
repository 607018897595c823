"""Files of detections whose boxes, classes or numbers cannot be right, in both formats."""

import json
import pickle
import re

import numpy as np
import pytest
import torch

SIZE = (300, 200)
NAMES = ('a.jpg', 'b.jpg')
CLASSES = [dict(id=0, name='cat'), dict(id=7, name='dog')]
GOOD = [10, 20, 50, 60]  # xyxy


def one(box=GOOD, category=0, score=0.9):
    return dict(box=box, category=category, score=score)


def as_json(folder, found, categories=CLASSES):
    """A list of results and its annotations: images 0 and 1, both of the first class."""
    images = [dict(zip(('width', 'height'), SIZE, strict=True), id=n) for n in range(len(NAMES))]
    for image, name in zip(images, NAMES, strict=True):
        image['file_name'] = name
    labels = [dict(id=n, image_id=n, category_id=categories[0]['id']) for n in range(len(NAMES))]
    content = dict(images=images, annotations=labels, categories=categories)
    (folder / 'ann.json').write_text(json.dumps(content))
    rows = []
    for number, own in enumerate(found):
        for item in own:
            x1, y1, x2, y2 = item['box']
            row = dict(image_id=number, category_id=item['category'], score=item['score'])
            rows.append(dict(row, bbox=[x1, y1, x2 - x1, y2 - y1]))
    (folder / 'found.json').write_text(json.dumps(rows))
    return [folder / 'found.json', '--ann', folder / 'ann.json']


def as_pickle(folder, found, **changes):
    """A test run of the same; classes 0 and 1."""
    samples = []
    for name, own in zip(NAMES, found, strict=True):
        boxes = torch.tensor([item['box'] for item in own], dtype=torch.float32).reshape(-1, 4)
        fields = dict(
            bboxes=boxes,
            scores=torch.tensor([item['score'] for item in own]),
            labels=torch.tensor([int(item['category'] > 0) for item in own], dtype=torch.int64),
        )
        sample = dict(img_path=f'data/{name}', ori_shape=SIZE[::-1], image_labels=np.array([1, 0]))
        samples.append(sample | dict(pred_instances=fields) | changes)
    (folder / 'found.pkl').write_bytes(pickle.dumps(samples))
    return [folder / 'found.pkl']


@pytest.fixture
def make(tool, tmp_path):
    """Boxes of every image, or the message of an error; and what was said."""

    def make(args):
        out = tmp_path / 'boxes.json'
        code, said = tool('make_pseudo_boxes', 'detections', *args, '--out', out)
        assert out.exists() == (code == 0)
        if code:
            return said, said
        rows = json.loads(out.read_text())['annotations']
        return [[row['image_id'], *row['bbox']] for row in rows], said

    return make


# detections of both images, words of the error; None: what the good box gives
ROWS = {
    'good': ([[one()], [one()]], None),
    'fractions': ([[one([0.1, 0.1, 0.5, 0.5])], [one([0, 0, 1, 1])]], 'all boxes lie in 0..1'),
    'percent': ([[one()] * 6, [one()] * 6], 'percent'),
    'of-a-larger-copy': (
        [[one([200, 100, 600, 400])], [one([300, 200, 590, 390])]],
        "2 of 2 boxes leave their image: .* The first: a detection in image 'a.jpg'",
    ),
    'none-inside': ([[one([400, 300, 440, 330])], []], "1 of 1 boxes have no pixel .*'a.jpg'"),
    'reversed': ([[one([50, 60, 10, 20])], [one([50, 60, 10, 20])]], '2 of 2 boxes have no pixel'),
    'nothing': ([[], []], 'gives no box for any of 2 images'),
    'other-classes': ([[one(category=7)], [one(category=7)]], 'gives no box for any of 2 images'),
    'score-nan': ([[one(score=float('nan'))], [one()]], "'a.jpg': a detection is not finite"),
    'box-inf': ([[one([10, 20, float('inf'), 60])], [one()]], 'a.jpg.*not finite|detection 0'),
}


@pytest.mark.parametrize('write', [as_json, as_pickle])
@pytest.mark.parametrize('name', ROWS)
def test_both_formats(make, tmp_path, write, name):
    detections, words = ROWS[name]
    found, said = make(write(tmp_path, detections))
    if words is None:
        assert found == [[1, 10, 20, 40, 40], [2, 10, 20, 40, 40]]
        assert 'clipped' not in said
    else:
        assert_says(said, words)


def assert_says(said, words):
    assert re.search(words, said), said
    assert said.startswith('make_pseudo_boxes: error: ') and '/found.' in said


@pytest.mark.parametrize('write', [as_json, as_pickle])
def test_clipped_boxes_are_counted(make, tmp_path, write):
    found, said = make(write(tmp_path, [[one([250, 20, 350, 60])], [one(), one()]]))
    assert found == [[1, 250, 20, 50, 40], [2, 10, 20, 40, 40]]
    assert '1 boxes were clipped to their image' in said


@pytest.mark.parametrize(
    ('category', 'words'),
    [
        ('0', r"1 of 2 detections .* no category: \['0'\]; categories are \[0, 7\]"),
        (0.5, r'no category: \[0.5\]'),
        ([0], "detection 0 is malformed: .*unhashable type: 'list'"),
    ],
)
def test_categories_are_taken_as_they_are(make, tmp_path, category, words):
    rows = [[dict(one(), category=category)], [one()]]
    assert_says(make(as_json(tmp_path, rows))[1], words)


def test_categories_by_text(make, tmp_path):
    args = as_json(tmp_path, [[one(category='cat')], []], [dict(id='cat', name='cat')])
    assert "ann.json: ids of categories must be whole numbers, got 'cat'" in make(args)[1]


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(image_labels=np.array([[1, 0]])), r'must be \(C,\) of 0 and 1, got \[\[1, 0\]\]'),
        (dict(image_labels=np.array([3])), r'must be \(C,\) of 0 and 1, got \[3\]'),
        (dict(image_labels=np.array([1])), 'a box is of class 1, image_labels has 1 classes'),
        (
            dict(
                pred_instances=dict(
                    bboxes=torch.ones(1, 4), scores=torch.ones(2), labels=torch.zeros(1).long()
                )
            ),
            r"image 'a.jpg' has 1 boxes, scores of shape \(2,\) and classes of shape \(1,\)",
        ),
    ],
)
def test_samples(make, tmp_path, changes, words):
    assert_says(make(as_pickle(tmp_path, [[one(category=7)], [one()]], **changes))[1], words)
