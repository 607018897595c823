"""Counts and recall, by hand and against loops."""

import json

import numpy as np
import pytest

from wsl_plugins.proposals import ProposalFile
from wsl_plugins.proposals.ground_truth import coco_boxes, voc_boxes
from wsl_plugins.proposals.statistics import best_iou, count_statistics, recall

BOX = [0, 0, 10, 10]


def test_counts_by_hand():
    proposals = ProposalFile.from_images({'a': [BOX] * 3, 'b': [BOX] * 6, 'c': []})
    assert count_statistics(proposals) == {
        'images': 3,
        'boxes': 9,
        'mean': 3.0,
        'max': 6,
        'min': 0,
        'median': 3.0,
    }
    with pytest.raises(ValueError, match='has no images'):
        count_statistics(ProposalFile.from_images({}))


def slow_best_iou(boxes, objects):
    best = []
    for ox1, oy1, ox2, oy2 in objects:
        top = 0.0
        for x1, y1, x2, y2 in boxes:
            w, h = min(x2, ox2) - max(x1, ox1), min(y2, oy2) - max(y1, oy1)
            inter = max(w, 0) * max(h, 0)
            union = (x2 - x1) * (y2 - y1) + (ox2 - ox1) * (oy2 - oy1) - inter
            top = max(top, inter / union)
        best.append(top)
    return best


def test_best_iou_against_loop():
    generator = np.random.default_rng(0)
    boxes, objects = (
        np.sort(generator.uniform(0, 50, (n, 2, 2)), axis=1).reshape(n, 4) for n in (40, 15)
    )
    assert best_iou(boxes, objects) == pytest.approx(slow_best_iou(boxes, objects), rel=1e-6)
    assert best_iou(np.zeros((0, 4)), objects).tolist() == [0] * 15


def test_recall_by_hand():
    proposals = ProposalFile.from_images(
        {'a': [[0, 0, 10, 5], [20, 20, 30, 30]], 'b': [], 'c': [BOX]}
    )
    # IoU .5 exactly, .8, none (no proposals)
    objects = {
        'a': np.array([[0, 0, 10, 10], [20, 20, 30, 28]]),
        'b': np.array([BOX]),
        'c': np.zeros((0, 4)),
    }
    assert recall(proposals, objects) == {0.5: pytest.approx(2 / 3), 0.7: pytest.approx(1 / 3)}
    with pytest.raises(KeyError, match="no proposals for image 'd'"):
        recall(proposals, {'d': np.array([BOX])})
    with pytest.raises(ValueError, match='at least one object'):
        recall(proposals, {'c': np.zeros((0, 4))})


def write_voc(root, objects):
    (root / 'Annotations').mkdir(parents=True)
    (root / 'ImageSets' / 'Main').mkdir(parents=True)
    (root / 'ImageSets' / 'Main' / 'train.txt').write_text('\n'.join(objects))
    for image_id, boxes in objects.items():
        text = ''
        for difficult, x1, y1, x2, y2 in boxes:
            text += (
                f'<object><name>car</name><difficult>{difficult}</difficult><bndbox><xmin>{x1}</xmin>'
                f'<ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>'
            )
        (root / 'Annotations' / f'{image_id}.xml').write_text(f'<annotation>{text}</annotation>')


def test_voc_boxes_by_hand(tmp_path):
    write_voc(tmp_path, {'a': [(0, 1, 1, 20, 10), (1, 1, 1, 5, 5)], 'b': []})
    boxes = voc_boxes(tmp_path, 'train')
    assert boxes['a'].tolist() == [[0, 0, 20, 10]]  # 20 x 10 pixels; the difficult one is left out
    assert boxes['b'].shape == (0, 4)
    with pytest.raises(FileNotFoundError, match='val.txt'):
        voc_boxes(tmp_path, 'val')
    (tmp_path / 'Annotations' / 'b.xml').write_text('<annotation><object></object></annotation>')
    with pytest.raises(ValueError, match='b.xml: not a VOC annotation'):
        voc_boxes(tmp_path, 'train')
    (tmp_path / 'Annotations' / 'b.xml').unlink()
    with pytest.raises(FileNotFoundError, match='b.xml: no such annotation'):
        voc_boxes(tmp_path, 'train')


def test_coco_boxes_by_hand(tmp_path):
    path = tmp_path / 'ann.json'
    data = {
        'images': [{'id': 1, 'file_name': 'a.jpg'}, {'id': 2, 'file_name': 'sub/b.jpg'}],
        'annotations': [
            {'image_id': 1, 'bbox': [1, 2, 3, 4], 'iscrowd': 0},
            {'image_id': 1, 'bbox': [0, 0, 9, 9], 'iscrowd': 1},
        ],
    }
    path.write_text(json.dumps(data))
    boxes = coco_boxes(path)
    assert boxes['a'].tolist() == [[1, 2, 4, 6]] and boxes['b'].shape == (0, 4)
    data['annotations'].append({'image_id': 7, 'bbox': [0, 0, 1, 1]})
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match='image 7 is not among "images"'):
        coco_boxes(path)
    path.write_text(json.dumps({'images': []}))
    with pytest.raises(ValueError, match='has no "annotations"'):
        coco_boxes(path)
