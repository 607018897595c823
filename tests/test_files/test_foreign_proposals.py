"""What other projects write, through tools/convert_proposals.py: boxes counted by hand."""

import importlib.util
import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from wsl_plugins.files.formats.proposal_file import ProposalFile

TOOL = Path(__file__).parents[2] / 'tools' / 'convert_proposals.py'
IDS = ['000012', '000017']
MAT = [np.array([[1, 1, 10, 20], [3, 2, 12, 9]], float), np.array([[5, 6, 27, 38]], float)]
"""Rows 1 to 10 and columns 1 to 20; rows 3 to 12 and columns 2 to 9; ..."""
BOXES = {'000012': [[0, 0, 20, 10], [1, 2, 9, 12]], '000017': [[5, 4, 38, 27]]}
SCORES = {'000012': [0.5, 0.25], '000017': [2.0]}
CORNERS = [np.float32(boxes) for boxes in BOXES.values()]
SIDES = [np.concatenate([b[:, :2], b[:, 2:] - b[:, :2]], axis=1) for b in CORNERS]
LOGITS = [np.float32(scores) for scores in SCORES.values()]


def cells(values):
    array = np.empty((len(values), 1), object)
    array.ravel()[:] = values
    return array


def mat(**variables):
    return lambda path: scipy.io.savemat(path, variables)


def pkl(**data):
    return lambda path: path.write_bytes(pickle.dumps(data))


def results(*rows):
    return lambda path: path.write_text(json.dumps(rows))


def folder(files, *others):
    def write(path):
        for name, variables in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            scipy.io.savemat(path / name, variables)
        for name in others:
            (path / name).write_bytes(b'x')

    return write


def one(number, **more):
    return {'boxes': MAT[number].astype(np.uint16), **more}


@pytest.fixture
def convert(tmp_path, monkeypatch, capsys):
    """Exit status, what the tool prints and the file it writes, if it does."""
    spec = importlib.util.spec_from_file_location('convert_proposals', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / 'ids.txt').write_text('000012\n000017\n')
    images = [{'id': int(i), 'file_name': f'{i}.jpg', 'width': 500, 'height': 375} for i in IDS]
    (tmp_path / 'ann.json').write_text(json.dumps({'images': images, 'annotations': []}))

    def run(write, name, *options):
        write(tmp_path / name)
        out = tmp_path / 'out.npz'
        options = [str(tmp_path / o) if o.endswith(('.txt', 'ann.json')) else o for o in options]
        monkeypatch.setattr(sys, 'argv', ['x', str(tmp_path / name), '--out', str(out), *options])
        code = module.main()
        printed = capsys.readouterr()
        return code, printed.out + printed.err, ProposalFile.load(out) if out.exists() else None

    return run


SET = dict(boxes=cells(MAT), images=cells(IDS))
D2 = dict(ids=IDS, boxes=CORNERS, objectness_logits=LOGITS)
MCG = {'2008_1.mat': one(0, scores=[[0.5], [0.25]]), '2008_2.mat': one(1, scores=[[2.0]])}
UNKNOWN = dict(ids=[12, 17], boxes=CORNERS, objectness_logits=LOGITS)


@pytest.mark.parametrize(
    ('name', 'write', 'options', 'scored', 'words'),
    [
        # detectron2: exclusive ends, the logits are the scores
        ('p.pkl', pkl(**D2), (), True, 'scores: objectness_logits'),
        ('p.pkl', pkl(**D2, bbox_mode=0), (), True, 'scores: objectness_logits'),
        ('p.pkl', pkl(**{**D2, 'boxes': SIDES}, bbox_mode=np.int64(1)), (), True, 'logits'),
        ('p.pkl', pkl(ids=IDS, boxes=CORNERS, bbox_mode=0), (), False, '3 boxes of 2 images'),
        ('p.pkl', pkl(**UNKNOWN, bbox_mode=0), ('--ann', 'ann.json'), True, 'logits'),
        ('p.pkl', pkl(**UNKNOWN, extra=1), ('--ids-file', 'ids.txt'), True, 'not read: extra'),
        ('p.pkl', pkl(**{**D2, 'boxes': [b - [0, 0, 1, 1] for b in CORNERS]}),
         ('--end', 'inclusive'), True, 'logits'),
        # of EdgeBoxes, and what is beside it
        ('p.mat', mat(**SET, boxScores=cells([s[:, None] for s in LOGITS])), (), True,
         'scores: boxScores'),
        ('p.mat', mat(**SET, scores=cells(LOGITS), speed=3), (), True, 'not read: speed'),
        ('p.mat', mat(**SET, scores=[[1], [2]]), (), False, 'not read: scores'),
        # images by number
        ('p.mat', mat(boxes=cells(MAT), images=[[12.0], [17.0]]), ('--ids-file', 'ids.txt'),
         False, '3 boxes of 2 images'),
        ('p.mat', mat(boxes=cells(MAT), images=np.uint8([12, 17])), ('--ann', 'ann.json'),
         False, '3 boxes of 2 images'),
        ('p.mat', mat(boxes=cells(MAT), images=cells([12, 17])), ('--ids-file', 'ids.txt'),
         False, '3 boxes of 2 images'),
        ('p.mat', mat(boxes=cells(MAT), images=np.array(['000012', '000017'])), (), False, '3'),
        ('p.mat', mat(boxes=cells(MAT), images=cells(['VOC/000012.jpg', 'VOC/000017.jpg'])),
         (), False, '3 boxes of 2 images'),
        ('p.json', results(
            dict(image_id='000012', bbox=[0, 0, 20, 10], score=0.5, category_id=1),
            dict(image_id='000012', bbox=[1, 2, 8, 10], score=0.25),
            dict(image_id='000017', bbox=[5, 4, 33, 23], score=2),
        ), (), True, 'not read: category_id'),
    ],
)  # fmt: skip
def test_read(convert, name, write, options, scored, words):
    code, printed, found = convert(write, name, *options)
    assert code == 0 and words in printed, printed
    assert {i: found.boxes_of(i).tolist() for i in found.ids.tolist()} == BOXES
    assert (found.scores is not None) == scored == ('scores: ' in printed)
    if scored:
        assert {i: found.scores_of(i).tolist() for i in found.ids.tolist()} == SCORES


def test_mcg_folder(convert):
    deeper = {'train/2008_1.mat': MCG['2008_1.mat'], 'val/2008_2.mat': MCG['2008_2.mat']}
    for files in (MCG, deeper):
        write = folder(files, 'readme.txt', '.hidden.mat')
        code, printed, found = convert(write, f'mcg{len(next(iter(files)))}')
        assert code == 0 and 'not read: 2 other files' in printed and 'scores: scores' in printed
        boxes = {i: found.boxes_of(i).tolist() for i in found.ids.tolist()}
        assert boxes == dict(zip(('2008_1', '2008_2'), BOXES.values(), strict=True))
        assert [found.scores_of(i).tolist() for i in boxes] == list(SCORES.values())
    code, printed, found = convert(folder({'a.mat': one(0, labels=1), 'b.mat': one(1)}), 'bare')
    assert code == 0 and found.scores is None and 'not read: labels' in printed


def test_bbox_mode_as_detectron2_pickles_it(convert, monkeypatch):
    """An enumeration of a module that is not there when the file is read."""
    import enum
    import types

    module = types.ModuleType('detectron2.structures.boxes')
    module.BoxMode = enum.IntEnum('BoxMode', [('XYXY_ABS', 0), ('XYWH_ABS', 1)])
    module.BoxMode.__module__ = module.__name__
    with monkeypatch.context() as patch:
        for name in ('detectron2', 'detectron2.structures', module.__name__):
            patch.setitem(sys.modules, name, module)
        content = pickle.dumps({**D2, 'boxes': SIDES, 'bbox_mode': module.BoxMode.XYWH_ABS})
    code, printed, found = convert(lambda path: path.write_bytes(content), 'p.pkl')
    assert code == 0, printed
    assert [found.boxes_of(i).tolist() for i in BOXES] == list(BOXES.values())


FRACTIONS = [np.array([[0.1, 0.2, 0.5, 0.9]]), np.array([[0, 0, 1, 1.0]])]
PERCENT = [np.random.default_rng(0).uniform(1, 99, (9, 4)) for _ in IDS]
SCALE = r'all boxes lie in 0..1 (largest coordinate: 1), pixels are expected'


@pytest.mark.parametrize(
    ('name', 'write', 'options', 'words'),
    [
        ('p.json', results(dict(image_id=12, bbox=[400, 300, 150, 50])), ('--ann', 'ann.json'),
         'box [400.0, 300.0, 550.0, 350.0] lies outside image 000012 of 500 x 375 pixels'),
        ('p.json', results(dict(image_id='a', bbox=[40, 30, 0, 50])), (),
         'p.json: not one of 1 boxes of 1 images has an area'),
        ('p.json', results(), (), 'p.json: not one of 0 boxes of 0 images has an area'),
        ('p.pkl', pkl(ids=IDS, boxes=FRACTIONS), (), SCALE),
        ('p.pkl', pkl(ids=IDS, boxes=FRACTIONS), ('--end', 'inclusive'), SCALE),
        ('p.pkl', pkl(ids=IDS, boxes=FRACTIONS, bbox_mode=1), (), SCALE),
        ('p.pkl', pkl(**{f'J/{i}.jpg': dict(bboxes=FRACTIONS[1]) for i in IDS}), (), SCALE),
        ('p.mat', mat(boxes=cells(FRACTIONS), images=cells(IDS)), (), SCALE),
        ('p.json', results(*(dict(image_id=i, bbox=[0, 0, 1, 1]) for i in IDS)), (), SCALE),
        ('d', folder({'a.mat': {'boxes': FRACTIONS[0]}, 'b.mat': {'boxes': FRACTIONS[1]}}), (),
         SCALE),
        ('p.pkl', pkl(ids=IDS, boxes=PERCENT), ('--ann', 'ann.json'), 'in 0..100 (percent)'),
        ('p.pkl', pkl(**D2, bbox_mode=2), (),
         'bbox_mode is 2, allowed: 0 (XYXY_ABS), 1 (XYWH_ABS)'),
        ('p.pkl', pkl(**D2, bbox_mode='XYWH_ABS'), (), "bbox_mode is 'XYWH_ABS', allowed: 0"),
        ('p.pkl', pkl(**{**D2, 'objectness_logits': LOGITS[:1]}), (), '2 boxes and 1 scores'),
        ('p.pkl', pkl(**{**D2, 'objectness_logits': LOGITS[::-1]}), (),
         "'000012' has 2 boxes but 1 scores (objectness_logits, shape (1,))"),
        ('p.mat', mat(**SET, boxScores=cells([np.ones((2, 3)), np.ones((1, 3))])), (),
         "'000012' has 2 boxes but 6 scores (boxScores, shape (2, 3))"),
        ('p.mat', mat(**SET, boxScores=cells(LOGITS[:1])), (), '2 cells of boxes, 1 of boxScores'),
        ('p.mat', mat(boxes=cells(MAT), images=[[12.0], [17.0]]), (),
         'image id 12 is a number, not a file name'),
        ('p.mat', mat(boxes=cells(MAT), images=[[12.0], [99.0]]), ('--ann', 'ann.json'),
         'image id 99 is not in'),
        ('p.mat', mat(all_boxes=cells(MAT), images=cells(IDS)), (),
         'has "all_boxes" (cell 2 x 1), "images" (cell 2 x 1)'),
        ('p.mat', mat(**one(0)), (), '"boxes" (uint16 2 x 4) (as of one image in MCG: give'),
        ('p.mat', mat(superpixels=np.ones((9, 8)), labels=cells(MAT)), (),
         'has "superpixels" (double 9 x 8), "labels" (cell 2 x 1)'),
        ('d', folder({'a.mat': one(0), 'b.mat': dict(labels=np.ones(3))}), (),
         'b.mat: in a folder, needs "boxes" (R, 4) of one image (MCG), has "labels" (double 1 x 3'),
        ('d', folder({'a.mat': one(0, scores=[1, 2]), 'b.mat': one(1)}), (), 'some images have sc'),
        ('d', folder({'a.mat': one(0), 'b.mat': dict(boxes=cells(MAT))}), (), '(cell 2 x 1)'),
        ('d', lambda path: path.mkdir(), (), 'needs one .mat (MCG), .json (SAM), .npz, .npy'),
    ],
)  # fmt: skip
def test_refused(convert, name, write, options, words):
    code, printed, found = convert(write, name, *options)
    assert code == 1 and found is None
    assert words in printed and printed.count('\n') == 1 and name in printed


def test_boxes_that_count_from_another_pixel(convert):
    """MATLAB's files count from 1: a 0 there is said, since all boxes may be one pixel off."""
    boxes = np.array([[0, 0, 10, 20], [4, 5, 30, 40.0]])
    code, printed, found = convert(mat(boxes=cells([boxes]), images=cells(['a'])), 'p.mat')
    assert code == 0 and '1 boxes begin before the first pixel: does the source count' in printed
    assert found.meta['before_first_pixel'] == 1
    code, printed, _ = convert(mat(boxes=cells([boxes + 1]), images=cells(['a'])), 'p.mat')
    assert code == 0 and 'first pixel' not in printed
