"""Counts and recall, by hand and against loops."""

import json

import numpy as np
import pytest

from wsl_plugins.proposals import ProposalFile
from wsl_plugins.proposals.ground_truth import Objects, coco_objects, voc_objects
from wsl_plugins.proposals.statistics import corloc_of_guesses, count_statistics, recall

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


def test_recall_against_loop():
    generator = np.random.default_rng(0)
    boxes, objects = (
        np.sort(generator.uniform(0, 50, (n, 2, 2)), axis=1).reshape(n, 4) for n in (40, 15)
    )
    best = np.array(slow_best_iou(boxes.astype(np.float32).astype(float), objects))
    thresholds = [0.1, 0.3, 0.5, 0.6, 0.7]
    got = recall(ProposalFile.from_images({'a': boxes, 'b': []}), {'a': objects}, thresholds)
    assert got == {t: (best >= t).mean() for t in thresholds}
    assert len(set(got.values())) > 2
    without = recall(ProposalFile.from_images({'a': []}), {'a': objects}, [0.1])
    assert without == {0.1: 0.0}


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


def test_corloc_of_guesses_by_hand():
    small, large = [40, 40, 50, 50], [0, 0, 20, 20]
    proposals = ProposalFile.from_images(
        {'a': [large, small], 'b': [small, [0, 0, 11, 11]], 'c': []}
    )
    objects = {
        'a': Objects(np.float32([small, large]), ['cat', 'dog']),
        'b': Objects(np.float32([BOX, [0, 0, 10, 9]]), ['cat', 'cat']),
        'c': Objects(np.float32([BOX]), ['dog']),
    }
    # cat: in a 1 of 2 proposals, not the largest; in b 1 of 2, the largest
    # dog: in a 1 of 2, the largest; in c no proposal
    expected = {
        'random': ((0.5 + 0.5) / 2 + (0.5 + 0) / 2) / 2,
        'largest': ((0 + 1) / 2 + (1 + 0) / 2) / 2,
    }
    assert corloc_of_guesses(proposals, objects) == pytest.approx(expected)
    with pytest.raises(ValueError, match='at least one object'):
        corloc_of_guesses(proposals, {'c': Objects(np.zeros((0, 4)), [])})


def test_voc_objects_by_hand(tmp_path):
    write_voc(tmp_path, {'a': [(0, 1, 1, 20, 10), (1, 1, 1, 5, 5)], 'b': []})
    objects = voc_objects(tmp_path, 'train')
    # 20 x 10 pixels; the difficult one is left out
    assert objects['a'].boxes.tolist() == [[0, 0, 20, 10]] and objects['a'].classes == ['car']
    assert objects['b'].boxes.shape == (0, 4)
    assert voc_objects(tmp_path, 'train', use_difficult=True)['a'].boxes.tolist() == [
        [0, 0, 20, 10],
        [0, 0, 5, 5],
    ]
    with pytest.raises(FileNotFoundError, match='val.txt'):
        voc_objects(tmp_path, 'val')
    (tmp_path / 'Annotations' / 'b.xml').write_text('<annotation><object></object></annotation>')
    with pytest.raises(ValueError, match='b.xml: not a VOC annotation'):
        voc_objects(tmp_path, 'train')
    (tmp_path / 'Annotations' / 'b.xml').unlink()
    with pytest.raises(FileNotFoundError, match='b.xml: no such annotation'):
        voc_objects(tmp_path, 'train')


def test_coco_objects_by_hand(tmp_path):
    path = tmp_path / 'ann.json'
    data = {
        'images': [{'id': 1, 'file_name': 'a.jpg'}, {'id': 2, 'file_name': 'sub/b.jpg'}],
        'categories': [{'id': 5, 'name': 'owl'}],
        'annotations': [
            {'image_id': 1, 'category_id': 5, 'bbox': [1, 2, 3, 4], 'iscrowd': 0},
            {'image_id': 1, 'bbox': [0, 0, 9, 9], 'iscrowd': 1},
        ],
    }
    path.write_text(json.dumps(data))
    objects = coco_objects(path)
    assert objects['a'].boxes.tolist() == [[1, 2, 4, 6]] and objects['a'].classes == ['owl']
    assert objects['sub/b'].boxes.shape == (0, 4)
    data['annotations'].append({'image_id': 7, 'bbox': [0, 0, 1, 1]})
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match=r'annotations\[2\] has unknown image_id 7'):
        coco_objects(path)
    path.write_text(json.dumps({'images': []}))
    with pytest.raises(ValueError, match="'annotations' is missing"):
        coco_objects(path)
