"""Boxes of other projects."""

import json

import numpy as np
import pytest

from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata
from wsl_plugins.pseudo_boxes.imports import import_boxes

CLASSES = {0: 'a', 1: 'b'}
IDS = ['x/my image 1.jpg', 'x/2.jpg']


@pytest.fixture
def load(tmp_path):
    metadata = WSOLMetadata(
        tmp_path / 'train', IDS, {IDS[0]: 1, IDS[1]: 0}, {IDS[0]: (20, 10), IDS[1]: (8, 8)}
    )

    def load(name, content, file_format, **options):
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / name).write_text(text)
        return import_boxes(tmp_path / name, file_format, metadata, CLASSES, **options)

    return load


def coco(boxes):
    return dict(
        images=[dict(id=5, file_name=IDS[0]), dict(id=3, file_name=IDS[1])],
        annotations=[dict(image_id=i, bbox=box, **more) for i, box, more in boxes],
    )


CONTENTS = [
    (
        'b.csv',
        'XMin;YMin;XMax;YMax;Image ID\n1;2;11;9,5;x/my image 1.jpg\n0;0;8;8;x/2.jpg\n'
        '1;1;2;2;x/2.jpg\n',
        'csv',
    ),
    (
        'b.txt',
        'image x0 y0 x1 y1\nx/my image 1.jpg 1 2 11 9.5\nx/2.jpg 0 0 8 8\nx/2.jpg 1 1 2 2\n',
        'c2am',
    ),
    ('b.txt', 'x/my image 1.jpg 1 2 11 9.5\nx/2.jpg 0 0 8 8\n\nx/2.jpg 1 1 2 2\n', 'c2am'),
    ('b.json', {IDS[0]: [1, 2, 11, 9.5], IDS[1]: [[0, 0, 8, 8], [1, 1, 2, 2]]}, 'c2am'),
    (
        'b.csv',
        'image_id,x0,y0,x1,y1\nx/my image 1.jpg,1,2,11,9.5\nx/2.jpg,0,0,8,8\nx/2.jpg,1,1,2,2\n',
        'csv',
    ),
    ('c.json', coco([(5, [1, 2, 10, 7.5], {}), (3, [0, 0, 8, 8], {}), (3, [1, 1, 1, 1], {})]),
     'coco'),
]  # fmt: skip


@pytest.mark.parametrize(('name', 'content', 'file_format'), CONTENTS)
def test_formats(load, name, content, file_format):
    result = load(name, content, file_format)
    assert result.boxes[IDS[0]].tolist() == [[1, 2, 11, 9.5]]
    assert result.boxes[IDS[1]].tolist() == [[0, 0, 8, 8], [1, 1, 2, 2]]
    assert result.labels[IDS[0]].tolist() == [1] and result.labels[IDS[1]].tolist() == [0, 0]
    assert np.isnan(result.scores[IDS[1]]).all()
    assert result.sizes == {IDS[0]: (20, 10), IDS[1]: (8, 8)}


def test_scores(load):
    lines = f'{IDS[0]},1,2,11,9,0.25\n{IDS[1]},0,0,8,8,1e-3'
    assert load('b.csv', lines, 'csv').scores[IDS[0]].tolist() == [0.25]
    named = 'score,image,x0,y0,x1,y1\n0.5,' + lines.replace('\n', '\n0.75,').replace(',0.25', '')
    result = load('b.csv', named.replace(',1e-3', ''), 'csv')
    assert [result.scores[i].tolist() for i in IDS] == [[0.5], [0.75]]
    assert result.info['read'] == 'columns separated by ","'
    content = coco([(5, [1, 2, 10, 7], dict(score=0.5)), (3, [0, 0, 8, 8], {})])
    assert load('b.json', content, 'coco').scores[IDS[0]].tolist() == [0.5]


def test_ends_and_clipping(load):
    lines = f'{IDS[0]} 0 2 19 9\n{IDS[1]} 0 0 7 7'
    result = load('b.txt', lines, 'c2am', end='inclusive')
    assert result.boxes[IDS[0]].tolist() == [[0, 2, 20, 10]]
    assert result.info['clipped'] == 0
    lines = f'{IDS[0]} -3 2 25 9\n{IDS[1]} 0 0 7 7'
    with pytest.raises(ValueError, match=f"b.txt: 1 problem: image '{IDS[0]}': box -3 2 25 9 leav"):
        load('b.txt', lines, 'c2am')
    result = load('b.txt', lines, 'c2am', clip=True)
    assert result.boxes[IDS[0]].tolist() == [[0, 2, 20, 9]] and result.info['clipped'] == 1


def test_missing_and_unknown_images(load):
    with pytest.raises(ValueError, match='1 of 2 images of .*train have no box .*first: x/2.jpg'):
        load('b.txt', f'{IDS[0]} 0 0 9 9', 'c2am')
    result = load('b.txt', f'{IDS[0]} 0 0 9 9', 'c2am', allow_missing=True)
    assert result.boxes[IDS[1]].shape == (0, 4)
    with pytest.raises(
        ValueError, match=r"b.txt: 2 problems: image 'y.jpg' is not in .*train; 2 o"
    ):
        load('b.txt', 'y.jpg 0 0 9 9', 'c2am')


@pytest.mark.parametrize(
    ('name', 'content', 'file_format', 'message'),
    [
        ('b.txt', 'a 1 2 3', 'c2am', r"b.txt:1: a box is 4 numbers, got \['1', '2', '3'\]"),
        ('b.txt', '\na 1 2 3 x', 'c2am', "b.txt:2: a number is needed, got 'x'"),
        ('b.json', [1], 'c2am', 'b.json: needs a dict of image id to box'),
        ('b.json', {'a': [1, 2, 3]}, 'c2am', "b.json: image 'a': a box is 4 numbers"),
        ('b.json', {'a': 7}, 'c2am', "b.json: image 'a': a box is 4 numbers, got 7"),
        ('b.csv', 'a,1,2,3,4,5,6', 'csv', 'b.csv:1: 5 or 6 fields are needed, got 7'),
        ('b.csv', 'id,x,y,u,v\na,1,2,3,4', 'csv', 'b.csv:1: no columns of corners'),
        ('b.json', {'images': []}, 'coco', 'b.json: no COCO annotations'),
        ('b.json', coco([(7, [1, 2, 3, 4], {})]), 'coco', 'unknown image_id 7'),
        ('b.txt', f'{IDS[0]} 1 2 nan 4\n{IDS[1]} 0 0 1 1', 'c2am', 'b.txt: .*is not finite'),
        ('b.txt', f'{IDS[0]} 5 2 5 4\n{IDS[1]} 0 0 1 1', 'c2am', 'b.txt: .*has no area'),
        ('b.txt', '', 'xml', "format must be one of c2am, csv, coco, got 'xml'"),
    ],
)
def test_bad_files(load, name, content, file_format, message):
    with pytest.raises(ValueError, match=message):
        load(name, content, file_format)


def test_no_file(load, tmp_path):
    metadata = WSOLMetadata(tmp_path, [], {})
    with pytest.raises(FileNotFoundError, match='none.txt: no such file'):
        import_boxes(tmp_path / 'none.txt', 'c2am', metadata, CLASSES)
