"""The file of pseudo boxes: written, read back, refused."""

import json

import numpy as np
import pytest
from pycocotools.coco import COCO

from wsl_plugins.pseudo_boxes import PseudoBoxFile


@pytest.fixture
def pseudo():
    return PseudoBoxFile.from_rows(
        {'a/1.jpg': (40, 30), 'b/2.jpg': (10, 20), 'b/3.jpg': (5, 5)},
        {
            'a/1.jpg': [((1, 2, 11, 30), 1, 0.5), ((0, 0, 40, 30), 0, float('nan'))],
            'b/2.jpg': [((2.5, 3, 9.25, 20), 0, float('nan'))],
        },
        {0: 'cat', 1: 'dog'},
        {'method': 'by hand'},
    )


def test_round_trip(pseudo, tmp_path):
    path = tmp_path / 'new' / 'boxes.json'
    pseudo.save(path)
    assert list(path.parent.iterdir()) == [path]
    content = json.loads(path.read_text())
    assert content['info'] == {
        'method': 'by hand', 'images': 3, 'boxes': 3, 'images_without_boxes': 1
    }  # fmt: skip
    assert content['images'][1] == dict(id=2, file_name='b/2.jpg', width=10, height=20)
    assert content['annotations'][0] == dict(
        id=1, image_id=1, category_id=1, bbox=[1, 2, 10, 28], area=280, iscrowd=0, score=0.5
    )
    assert content['annotations'][2]['bbox'] == [2.5, 3, 6.75, 17]
    assert 'score' not in content['annotations'][1]
    assert content['categories'] == [dict(id=0, name='cat'), dict(id=1, name='dog')]
    found = PseudoBoxFile.load(path)
    assert found.sizes == pseudo.sizes and found.classes == pseudo.classes
    assert found.info == pseudo.info
    for key in ('boxes', 'labels', 'scores'):
        for image_id, value in getattr(pseudo, key).items():
            np.testing.assert_array_equal(getattr(found, key)[image_id], value)
    assert found.boxes['b/3.jpg'].shape == (0, 4)


def test_coco_tools_read_it(pseudo, tmp_path, capsys):
    pseudo.save(tmp_path / 'boxes.json')
    coco = COCO(str(tmp_path / 'boxes.json'))
    rows = coco.loadAnns(coco.getAnnIds(imgIds=[1], catIds=[1]))
    assert [row['bbox'] for row in rows] == [[1, 2, 10, 28]]


BAD_BOXES = {
    'has no area': (3, 3, 3, 9),
    'leaves its image of 10 x 20 pixels': (2, 3, 10.01, 9),
    'box -1 3 4 9 leaves': (-1, 3, 4, 9),
    'is not finite': (float('nan'), 3, 4, 9),
    'inf 9 is not finite': (2, 3, float('inf'), 9),
}


@pytest.mark.parametrize('message', BAD_BOXES)
def test_bad_boxes_are_not_written(pseudo, tmp_path, message):
    pseudo.boxes['b/2.jpg'][0] = BAD_BOXES[message]
    with pytest.raises(ValueError, match=f"boxes.json: 1 problem: image 'b/2.jpg': .*{message}"):
        pseudo.save(tmp_path / 'boxes.json')
    assert not list(tmp_path.iterdir())


def edit_image(content):
    content['images'][1]['file_name'] = 'a/1.jpg'


def edit_size(content):
    content['images'][2]['width'] = 0


def edit_box(content):
    content['annotations'][2]['bbox'] = [2, 3, 9, 4]


def edit_box_length(content):
    content['annotations'][2]['bbox'] = [2, 3, 9]


def edit_image_id(content):
    content['annotations'][2]['image_id'] = 7


def edit_ids_to_texts(content):
    content['images'][2]['id'] = '3'


def edit_ids_to_decimals(content):
    content['annotations'][2]['image_id'] = 2.0


def edit_boxes_to_nothing(content):
    content['annotations'] = None


def edit_category(content):
    content['annotations'][2]['category_id'] = 5


def edit_key(content):
    del content['categories']


def edit_empty(content):
    content.update(images=[], annotations=[])


@pytest.mark.parametrize(
    ('edit', 'message'),
    [
        (edit_image, 'an image stands there twice'),
        (edit_size, r"1 problem: image 'b/3.jpg' has size \(0, 5\)"),
        (edit_box, "1 problem: image 'b/2.jpg': box 2 3 11 7 leaves its image of 10 x 20 pixels"),
        (edit_box_length, 'no file of pseudo boxes: not enough values'),
        (edit_image_id, 'a box of unknown image 7'),
        (edit_ids_to_texts, "id must be an integer, got '3'"),
        (edit_ids_to_decimals, 'image_id must be an integer, got 2.0'),
        (edit_boxes_to_nothing, "'annotations' must be one list"),
        (edit_category, "1 problem: image 'b/2.jpg': class 5 is no category"),
        (edit_key, "no file of pseudo boxes: .categories. is missing"),
        (edit_empty, 'names no image'),
    ],
)  # fmt: skip
def test_bad_files(pseudo, tmp_path, edit, message):
    path = tmp_path / 'boxes.json'
    pseudo.save(path)
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f'boxes.json: .*{message}'):
        PseudoBoxFile.load(path)


def test_no_file_or_no_json(tmp_path):
    with pytest.raises(FileNotFoundError, match='boxes.json: no such file'):
        PseudoBoxFile.load(tmp_path / 'boxes.json')
    for text, message in (('{', 'not JSON'), ('[1]', 'no file of pseudo boxes')):
        (tmp_path / 'boxes.json').write_text(text)
        with pytest.raises(ValueError, match=f'boxes.json: {message}'):
            PseudoBoxFile.load(tmp_path / 'boxes.json')


def test_many_problems_are_counted(pseudo):
    pseudo.boxes['a/1.jpg'] = np.zeros((7, 4))
    pseudo.labels['a/1.jpg'] = np.zeros(7, np.int64)
    with pytest.raises(ValueError, match='^x: 7 problems: (image [^;]*; ){5}...$'):
        pseudo.check('x')
