"""Pseudo boxes on their way into a training: NMS within classes, labels of images without boxes."""

import numpy as np
import pytest

from wsl_plugins.datasets.transforms import ImageLabelsOfInstances, PseudoBoxNMS
from wsl_plugins.structures.box_iou import box_ious

from mmdet.structures.bbox import HorizontalBoxes


def slow_nms(boxes, labels, iou_thr):
    """Places of the boxes that overlap no earlier one of their class that stays."""
    kept = []
    for place, box in enumerate(boxes):
        rivals = [boxes[k] for k in kept if labels[k] == labels[place]]
        if all(box_ious(box[None], rival[None])[0, 0] <= iou_thr for rival in rivals):
            kept.append(place)
    return kept


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('kind', [np.asarray, HorizontalBoxes])
def test_as_a_loop_and_no_class_is_lost(seed, kind):
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 20, (30, 2))
    boxes = np.concatenate([low, low + rng.integers(5, 25, (30, 2))], axis=1).astype(np.float32)
    labels = rng.integers(0, 3, 30)
    results = dict(
        gt_bboxes=kind(boxes), gt_bboxes_labels=labels, gt_ignore_flags=np.zeros(30, bool), img=1
    )
    found = PseudoBoxNMS(0.4123)(results)
    kept = slow_nms(boxes, labels, 0.4123)
    assert 3 < len(kept) < 30
    left = np.asarray(getattr(found['gt_bboxes'], 'tensor', found['gt_bboxes']))
    np.testing.assert_array_equal(left, boxes[kept])
    assert found['gt_bboxes_labels'].tolist() == labels[kept].tolist()
    assert set(labels[kept]) == set(labels)
    assert len(found['gt_ignore_flags']) == len(kept)


def test_boxes_far_from_the_corner():
    """Of images of any size; two classes in the same place stay two."""
    boxes = np.float32([[2e6, 2e6, 2e6 + 8, 2e6 + 8]] * 3)
    results = dict(gt_bboxes=boxes, gt_bboxes_labels=np.array([19, 0, 19]))
    assert PseudoBoxNMS()(results)['gt_bboxes_labels'].tolist() == [19, 0]


def test_no_box():
    results = dict(gt_bboxes=np.zeros((0, 4), np.float32), gt_bboxes_labels=np.zeros(0, int))
    assert PseudoBoxNMS()(results)['gt_bboxes'].shape == (0, 4)


@pytest.mark.parametrize('value', [0, -1, 1.1, float('nan')])
def test_a_threshold_out_of_range(value):
    with pytest.raises(ValueError, match='iou_thr must be in'):
        PseudoBoxNMS(value)


def test_labels_of_instances():
    labels = ImageLabelsOfInstances(num_classes=4)
    assert labels(dict(instances=[]))['image_labels'].tolist() == [0, 0, 0, 0]
    found = labels(dict(instances=[dict(bbox_label=n) for n in (3, 1, 3)]))
    assert found['image_labels'].tolist() == [0, 1, 0, 1]
    with pytest.raises(ValueError, match='a.jpg: a box is of class 4, num_classes is 4'):
        labels(dict(instances=[dict(bbox_label=4)], img_path='a.jpg'))
