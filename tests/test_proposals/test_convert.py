"""Formats of other projects, boxes counted by hand."""

import json
import pickle

import numpy as np
import pytest
import scipy.io
from mmengine.structures import InstanceData

from wsl_plugins.files.names import ImageNames
from wsl_plugins.proposals import ProposalFile
from wsl_plugins.proposals.convert import read_any, save_mmdet


def cells(values, column=False):
    array = np.empty((len(values), 1) if column else (1, len(values)), dtype=object)
    array.ravel()[:] = values
    return array


def write_mat(path, boxes, images=None):
    data = {'boxes': cells([np.array(b, np.float64) for b in boxes])}
    if images is not None:
        data['images'] = cells(images, column=True)
    scipy.io.savemat(path, data)
    return path


def write_pickle(path, data):
    path.write_bytes(pickle.dumps(data))
    return path


def coco(path, names=('000000000009.jpg', '000000000025.jpg'), ids=(9, 25)):
    images = [{'id': i, 'file_name': n} for i, n in zip(ids, names, strict=True)]
    path.write_text(json.dumps({'images': images, 'annotations': []}))
    return path


# Pixels are counted from 1 and the last one is part of the box: rows 1 to 10, columns 1 to 20.
MAT = [[[1, 1, 10, 20], [3, 2, 3, 2]], [[5, 6, 7, 8]]]
# 20 wide, 10 high at the origin; the single pixel of row 3, column 2; 3 x 3 pixels.
BY_HAND = {'000012': [[0, 0, 20, 10], [1, 2, 2, 3]], '000017': [[5, 4, 8, 7]]}


def boxes_of(proposals):
    return {i: proposals.boxes_of(i).tolist() for i in proposals.ids.tolist()}


def test_mat_by_hand(tmp_path):
    proposals = read_any(write_mat(tmp_path / 'p.mat', MAT, ['000012', '000017']))
    assert boxes_of(proposals) == BY_HAND
    assert proposals.scores is None
    assert proposals.meta == {
        'converted_from': 'p.mat',
        'format': 'fast_rcnn_mat',
        'source_end': 'inclusive',
        'images': 2,
        'boxes': 3,
        'dropped_without_area': 0,
        'dropped_repeated': 0,
    }


def test_mat_without_names_takes_the_ids_in_order(tmp_path):
    (tmp_path / 'ids.txt').write_text('000012\n000017\n')
    path = write_mat(tmp_path / 'p.mat', MAT)
    assert boxes_of(read_any(path, ids_file=tmp_path / 'ids.txt')) == BY_HAND
    with pytest.raises(ValueError, match='p.mat: has no "images".*--ids-file'):
        read_any(path)
    (tmp_path / 'ids.txt').write_text('000012\n')
    with pytest.raises(ValueError, match='2 cells of boxes for 1 images'):
        read_any(path, ids_file=tmp_path / 'ids.txt')


@pytest.mark.parametrize('key', ['indexes', 'ids'])
def test_wsod_pickle_by_hand(tmp_path, key):
    # from 0, last pixel included: columns 0 to 19, rows 0 to 9
    data = {
        'boxes': [np.array([[0, 0, 19, 9], [1, 2, 1, 2]], np.uint16), np.array([[5, 4, 7, 6]])],
        key: ['000012', '000017'],
        'scores': [np.array([0.25, 0.5]), np.array([[1.0]])],
    }
    proposals = read_any(write_pickle(tmp_path / 'p.pkl', data))
    # sorted by falling score
    assert boxes_of(proposals) == {**BY_HAND, '000012': BY_HAND['000012'][::-1]}
    assert proposals.scores_of('000012').tolist() == [0.5, 0.25]
    assert proposals.scores_of('000017').tolist() == [1]
    del data['scores']
    assert boxes_of(read_any(write_pickle(tmp_path / 'p.pkl', data))) == BY_HAND


def test_end_of_the_source_can_be_told(tmp_path):
    data = {'boxes': [[[0, 0, 20, 10]]], 'indexes': ['a']}
    path = write_pickle(tmp_path / 'p.pkl', data)
    assert boxes_of(read_any(path)) == {'a': [[0, 0, 21, 11]]}
    proposals = read_any(path, end='exclusive')
    assert boxes_of(proposals) == {'a': [[0, 0, 20, 10]]}
    assert proposals.meta['source_end'] == 'exclusive'
    with pytest.raises(ValueError, match="got 'both'"):
        read_any(path, end='both')


def test_numeric_ids_need_a_table(tmp_path):
    data = {'boxes': [[[0, 0, 4, 4]], [[0, 0, 5, 5]]], 'indexes': [np.int64(25), 9]}
    path = write_pickle(tmp_path / 'p.pkl', data)
    with pytest.raises(ValueError, match='image id 25 is a number.*--ann.*--ids-file'):
        read_any(path)
    proposals = read_any(path, ann=coco(tmp_path / 'ann.json'))
    expected = {'000000000009': [[0, 0, 6, 6]], '000000000025': [[0, 0, 5, 5]]}
    assert boxes_of(proposals) == expected
    assert proposals.ids.tolist() == sorted(expected)
    (tmp_path / 'ids.txt').write_text('000025\n')
    part = read_any(path, ids_file=tmp_path / 'ids.txt')
    assert boxes_of(part) == {'000025': [[0, 0, 5, 5]]}
    with pytest.raises(ValueError, match='image id 9 is not in .*other.json'):
        read_any(path, ann=coco(tmp_path / 'other.json', names=['25.jpg'], ids=[25]))


def test_names():
    names = ImageNames.from_ids(['000012', '2008_000002', 'a7', 'b7'])
    assert names.find('000012') == names.numbers['12'] == '000012'
    assert names.numbers['2008000002'] == '2008_000002'
    assert names.find('a7') == 'a7' and '7' not in names.numbers  # 7 may be either: neither


def test_coco_json_by_hand(tmp_path):
    rows = [
        {'image_id': 25, 'bbox': [1.5, 2, 10, 20], 'score': 0.25},
        {'image_id': 9, 'bbox': [0, 0, 3, 4], 'score': 1},
        {'image_id': 25, 'bbox': [1, 2, 3, 4], 'score': 0.75},
    ]
    path = tmp_path / 'p.json'
    path.write_text(json.dumps(rows))
    proposals = read_any(path, ann=coco(tmp_path / 'ann.json'))
    assert boxes_of(proposals) == {
        '000000000009': [[0, 0, 3, 4]],
        '000000000025': [[1, 2, 4, 6], [1.5, 2, 11.5, 22]],
    }
    assert proposals.scores_of('000000000025').tolist() == [0.75, 0.25]
    del rows[1]['score']
    path.write_text(json.dumps(rows))
    with pytest.raises(ValueError, match='2 of 3 entries have a score'):
        read_any(path, ann=tmp_path / 'ann.json')
    path.write_text(json.dumps([*rows, {'image_id': 9}]))
    with pytest.raises(ValueError, match='entry 3 lacks "bbox"'):
        read_any(path, ann=tmp_path / 'ann.json')


def test_mmdet_pickle_as_mmdet_dumps_it(tmp_path):
    fields = InstanceData(bboxes=np.float32([[1, 2, 3.5, 4]]), scores=np.float32([0.5]))
    data = {
        'JPEGImages/000012.jpg': fields,
        'JPEGImages/000017.jpg': {'bboxes': np.zeros((0, 4)), 'scores': np.zeros(0)},
    }
    proposals = read_any(write_pickle(tmp_path / 'p.pkl', data))
    assert boxes_of(proposals) == {'000012': [[1, 2, 3.5, 4]], '000017': []}
    assert proposals.scores_of('000012').tolist() == [0.5]


@pytest.mark.parametrize('scored', [False, True])
def test_round_trip_through_mmdet(tmp_path, scored):
    images = {'000012': [[0, 0, 20, 10], [1, 2, 2, 3]], '000017': [[5, 4, 8, 7]], '000023': []}
    scores = {'000012': [0.5, 0.25], '000017': [2], '000023': []} if scored else None
    ours = ProposalFile.from_images(images, scores)
    save_mmdet(ours, tmp_path / 'p.pkl', 'val2017', '.png')
    standard = pickle.loads((tmp_path / 'p.pkl').read_bytes())
    assert list(standard) == [f'val2017/{i}.png' for i in images]
    back = read_any(tmp_path / 'p.pkl')
    assert boxes_of(back) == boxes_of(ours)
    for i in images:
        assert back.scores_of(i).tolist() == ours.scores_of(i).tolist()
        assert standard[f'val2017/{i}.png']['bboxes'].dtype == np.float32


def test_plain_mmdet_reads_it(tmp_path):
    from mmdet.datasets import VOCDataset
    from mmdet.datasets.transforms import LoadProposals

    for name in ('JPEGImages', 'Annotations'):
        (tmp_path / 'VOC2007' / name).mkdir(parents=True)
    xml = '<annotation><size><width>50</width><height>40</height></size></annotation>'
    for i in BY_HAND:
        (tmp_path / 'VOC2007' / 'Annotations' / f'{i}.xml').write_text(xml)
    (tmp_path / 'ids.txt').write_text('\n'.join(reversed(BY_HAND)) + '\n')
    all_images = {**BY_HAND, '000099': [[0, 0, 1, 1]]}
    ProposalFile.from_images(all_images).save(tmp_path / 'p.npz')
    part = read_any(tmp_path / 'p.npz', ids_file=tmp_path / 'ids.txt')
    save_mmdet(part, tmp_path / 'p.pkl')
    dataset = VOCDataset(
        data_root=str(tmp_path),
        ann_file='ids.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        proposal_file='p.pkl',
        test_mode=True,
        pipeline=[LoadProposals()],
    )
    assert len(dataset) == 2
    for item, image_id in zip(dataset, reversed(BY_HAND), strict=True):
        assert item['proposals'].tolist() == BY_HAND[image_id]
        assert item['proposals_scores'].tolist() == [1] * len(BY_HAND[image_id])


def test_boxes_dropped_are_counted(tmp_path):
    boxes = [[0, 0, 5, 5], [3, 3, 3, 9], [0, 0, 5, 5], [4, 4, 2, 9], [1, 1, 2, 2]]
    path = write_pickle(tmp_path / 'p.pkl', {'JPEGImages/a.jpg': {'bboxes': np.array(boxes)}})
    proposals = read_any(path)
    assert boxes_of(proposals) == {'a': [[0, 0, 5, 5], [1, 1, 2, 2]]}
    assert proposals.meta['dropped_without_area'] == 2
    assert proposals.meta['dropped_repeated'] == 1


def test_ids_file_must_be_covered(tmp_path):
    (tmp_path / 'ids.txt').write_text('000012\n000099\n')
    path = write_mat(tmp_path / 'p.mat', MAT, ['000012', '000017'])
    with pytest.raises(KeyError, match="p.mat: no proposals for image '000099'"):
        read_any(path, ids_file=tmp_path / 'ids.txt')


@pytest.mark.parametrize(
    ('data', 'words'),
    [
        ([1, 2], 'needs a dictionary, got list'),
        ({'boxes': []}, r'needs "boxes" and "indexes", has \[\'boxes\'\]'),
        ({'boxes': [[]], 'indexes': ['a', 'b']}, '2 indexes, 1 boxes and 1 scores'),
        ({'boxes': [[[1, 2, 3]]], 'indexes': ['a']}, r"image 'a' must be \(R, 4\), got \(1, 3\)"),
        ({'boxes': [[['x', 2, 3, 4]]], 'indexes': ['a']}, "image 'a' are no numbers"),
        ({'boxes': [[[1, 2, 3, np.nan]]], 'indexes': ['a']}, "image 'a' are not finite"),
        (
            {'boxes': [[], []], 'indexes': ['a', 'a.jpg']},
            r"'a': 'a' \(place 1\) and 'a.jpg' \(place 2\)",
        ),
        (
            {'boxes': [[[1, 2, 3, 4]]], 'indexes': ['a'], 'scores': [[1, 2]]},
            "'a' has 1 boxes but 2 scores",
        ),
        ({'J/a.jpg': {'boxes': []}}, 'entry \'J/a.jpg\' has no "bboxes"'),
        (
            {'J/a.jpg': {'bboxes': []}, 'J/b.jpg': {'bboxes': [], 'scores': []}},
            'some images have scores and some have none',
        ),
    ],
)
def test_bad_pickles_are_named(tmp_path, data, words):
    with pytest.raises(ValueError, match=words) as error:
        read_any(write_pickle(tmp_path / 'bad.pkl', data))
    assert 'bad.pkl' in str(error.value)


def test_bad_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='none.mat: no such proposal file'):
        read_any(tmp_path / 'none.mat')
    for name, content, words in (
        ('a.txt', b'x', 'a.txt: unknown suffix; known: .npz, .npy, .mat, .json'),
        ('a.mat', b'x' * 200, 'a.mat: not a MATLAB file'),
        ('b.mat', b'MATLAB 7.3 MAT-file'.ljust(124) + b'\x00\x02IM', 'b.mat: a MATLAB 7.3'),
        ('a.json', b'{', 'a.json: not JSON'),
        ('b.json', b'{}', 'b.json: neither boxes nor masks of images'),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=words):
            read_any(tmp_path / name)
    scipy.io.savemat(tmp_path / 'c.mat', {'boxes': np.ones((2, 4))})
    with pytest.raises(ValueError, match='c.mat: needs a cell array "boxes"'):
        read_any(tmp_path / 'c.mat')
    ProposalFile.from_images({'a': [[0, 0, 1, 1]]}).save(tmp_path / 'a.npz')
    with pytest.raises(ValueError, match='always exclusive'):
        read_any(tmp_path / 'a.npz', end='inclusive')


def test_bad_annotation_files_are_named(tmp_path):
    path = write_pickle(tmp_path / 'p.pkl', {'boxes': [[]], 'indexes': [1]})
    for content, words in (('[', 'ann.json: not JSON'), ('[]', 'ann.json: not a COCO')):
        (tmp_path / 'ann.json').write_text(content)
        with pytest.raises(ValueError, match=words):
            read_any(path, ann=tmp_path / 'ann.json')
    with pytest.raises(FileNotFoundError, match='none.json'):
        read_any(path, ann=tmp_path / 'none.json')
