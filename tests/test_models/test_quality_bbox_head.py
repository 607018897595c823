"""R-CNN head with localisation quality: losses and scores against numbers by hand."""

import math

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope

from wsl_plugins.models.roi_heads import QualityBBoxHead

from mmdet.models.roi_heads.bbox_heads import Shared2FCBBoxHead

META = dict(img_shape=(100, 100), scale_factor=(2.0, 2.0))
NMS = ConfigDict(score_thr=0.0, nms=dict(type='nms', iou_threshold=0.5), max_per_img=5)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmdet')
    yield
    init_default_scope('mmengine')


def make(cls=QualityBBoxHead, **options):
    torch.manual_seed(0)
    sizes = dict(in_channels=4, roi_feat_size=2, fc_out_channels=8, num_classes=1)
    return cls(**sizes | options)


def logit(p):
    return math.log(p / (1 - p))


def inputs(rois, objects, labels, head, classes=1):
    """Zero deltas for ``rois``; targets that decode to ``objects``."""
    rois = torch.tensor([[0.0, *roi] for roi in rois]).reshape(-1, 5)
    objects = torch.tensor(objects).float().reshape(-1, 4)
    targets = head.bbox_coder.encode(rois[:, 1:], objects) if len(rois) else objects
    number = len(rois)
    return dict(
        bbox_pred=torch.zeros(number, 4 * classes, requires_grad=True),
        rois=rois,
        labels=torch.tensor(labels, dtype=torch.long),
        label_weights=torch.ones(number),
        bbox_targets=targets,
        bbox_weights=torch.ones(number, 4),
    )


def bce(z, target):
    p = 1 / (1 + math.exp(-z))
    return -target * math.log(p) - (1 - target) * math.log(1 - p)


ROIS = [[0, 0, 40, 40], [20, 0, 60, 40], [60, 60, 90, 90]]
OBJECTS = [[0, 0, 40, 40], [0, 0, 40, 40], [0, 0, 1, 1]]  # IoU 1, 1/3; the last is background
LABELS = [0, 0, 1]


def test_the_quality_is_the_overlap_of_the_predicted_box():
    head = make()
    scores = torch.tensor([[1.0, 0, 2.0], [0, 1.0, -1.0], [0, 3.0, 5.0]], requires_grad=True)
    batch = inputs(ROIS, OBJECTS, LABELS, head)
    losses = head.loss(scores, **batch)
    expected = (bce(2, 1) + bce(-1, 1 / 3)) / 2
    assert losses['loss_quality'].item() == pytest.approx(expected, rel=1e-5)
    losses['loss_quality'].backward()
    assert batch['bbox_pred'].grad is None  # a target has no gradient
    assert (scores.grad[:, :2] == 0).all() and scores.grad[2, 2] == 0
    assert (scores.grad[:2, 2] != 0).all()


def test_the_predicted_box_counts_not_the_proposal():
    """A delta of half the width moves the second RoI's box onto its object."""
    head = make()
    batch = inputs(ROIS, OBJECTS, LABELS, head)
    batch['bbox_pred'] = torch.zeros(3, 4)
    batch['bbox_pred'][1, 0] = -0.5 / 0.1  # 20 of 40 pixels, over the coder's deviation
    losses = head.loss(torch.zeros(3, 3), **batch)
    assert losses['loss_quality'].item() == pytest.approx(math.log(2), rel=1e-5)
    quality = torch.tensor([[0.0, 0, 50], [0, 0, 50], [0, 0, 0]])
    assert head.loss(quality, **batch)['loss_quality'].item() == pytest.approx(0, abs=1e-5)


def test_boxes_of_the_right_class():
    head = make(num_classes=2)
    batch = inputs(ROIS, OBJECTS, [1, 0, 2], head, classes=2)
    batch['bbox_pred'] = torch.zeros(3, 8)
    batch['bbox_pred'][0, :4] = 30  # of class 0, which the first RoI is not
    losses = head.loss(torch.tensor([[0, 0, 0, 2.0], [0, 0, 0, -1.0], [0, 0, 0, 0]]), **batch)
    assert losses['loss_quality'].item() == pytest.approx((bce(2, 1) + bce(-1, 1 / 3)) / 2, 1e-5)


def test_targets_that_are_boxes():
    head = make(reg_decoded_bbox=True)
    batch = inputs(ROIS, OBJECTS, LABELS, head)
    batch['bbox_targets'] = torch.tensor(OBJECTS).float()
    losses = head.loss(torch.tensor([[0, 0, 2.0], [0, 0, -1.0], [0, 0, 5.0]]), **batch)
    assert losses['loss_quality'].item() == pytest.approx((bce(2, 1) + bce(-1, 1 / 3)) / 2, 1e-5)


def test_one_box_for_all_classes():
    head = make(num_classes=2, reg_class_agnostic=True)
    batch = inputs(ROIS, OBJECTS, [1, 0, 2], head)
    losses = head.loss(torch.tensor([[0, 0, 0, 2.0], [0, 0, 0, -1.0], [0, 0, 0, 0]]), **batch)
    assert losses['loss_quality'].item() == pytest.approx((bce(2, 1) + bce(-1, 1 / 3)) / 2, 1e-5)


def test_the_other_losses_are_the_parents():
    head, parent = make(), make(Shared2FCBBoxHead)
    assert head.fc_cls.out_features == 3 and parent.fc_cls.out_features == 2
    scores = torch.tensor([[1.0, 0, 2.0], [0, 1.0, -1.0], [0, 3.0, 5.0]])
    batch = inputs(ROIS, OBJECTS, LABELS, head)
    losses, expected = head.loss(scores, **batch), parent.loss(scores[:, :2], **batch)
    assert set(losses) == set(expected) | {'loss_quality'}
    assert all(torch.equal(losses[name], expected[name]) for name in expected)


@pytest.mark.parametrize('rows', [0, 2])
def test_no_positive_and_no_roi(rows):
    head = make()
    scores = head(torch.zeros(rows, 4, 2, 2))[0]
    assert scores.shape == (rows, 3)
    losses = head.loss(scores, **inputs(ROIS[:rows], OBJECTS[:rows], [1] * rows, head))
    assert losses['loss_quality'] == 0
    sum(losses[name] for name in losses if 'loss' in name).backward()
    assert all(p.grad.isfinite().all() for p in head.fc_cls.parameters())
    assert not head.fc_cls.weight.grad[2].any()


def test_score_is_the_geometric_mean():
    """Foreground 0.8 and 0.5, quality 0.2 and 0.5: 0.4 and 0.5, so the second comes first."""
    head = make()
    rois = torch.tensor([[0.0, 0, 0, 40, 40], [0, 60, 60, 80, 90]])
    scores = torch.tensor([[logit(0.8), 0, logit(0.2)], [0, 0, 0]])
    samples = head.predict_by_feat((rois,), (scores,), (torch.zeros(2, 4),), [META], NMS)
    torch.testing.assert_close(samples[0].scores, torch.tensor([0.5, 0.4]))
    torch.testing.assert_close(samples[0].bboxes, rois[[1, 0], 1:])
    assert samples[0].labels.tolist() == [0, 0]
    (rescaled,) = head.predict_by_feat(
        (rois,), (scores,), (torch.zeros(2, 4),), [META], NMS, rescale=True
    )
    torch.testing.assert_close(rescaled.bboxes, rois[[1, 0], 1:] / 2)
    raw = head.predict_by_feat((rois,), (scores,), (torch.zeros(2, 4),), [META])[0]
    torch.testing.assert_close(raw.scores[:, 0], torch.tensor([0.4, 0.5]))


def test_suppression_threshold_and_number():
    head = make()
    rois = torch.tensor([[0.0, 0, 0, 40, 40], [0, 0, 0, 40, 38], [0, 60, 60, 80, 90]])
    scores = torch.tensor([[0, 0, 0], [2.0, 0, 2.0], [-9.0, 0, -9.0]])

    def predict(**options):
        batch = (rois,), (scores,), (torch.zeros(3, 4),), [META]
        return head.predict_by_feat(*batch, ConfigDict(NMS, **options))[0]

    torch.testing.assert_close(predict().bboxes, rois[[1, 2], 1:])
    assert len(predict(score_thr=0.1)) == len(predict(max_per_img=1)) == 1


@pytest.mark.parametrize('cfg', [NMS, None])
def test_no_proposal(cfg):
    head = make()
    (sample,) = head.predict_by_feat(
        (torch.zeros(0, 5),), (torch.zeros(0, 3),), (torch.zeros(0, 4),), [META], cfg
    )
    assert len(sample) == 0 and sample.bboxes.shape == (0, 4)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    head = make()
    features = torch.rand(3, 4, 2, 2)
    batch = inputs(ROIS, OBJECTS, LABELS, head)
    with torch.autocast('cpu', dtype=dtype):
        scores, batch['bbox_pred'] = head(features)
        losses = head.loss(scores, **batch)
        rois = batch['rois']
        (sample,) = head.predict_by_feat(
            (rois,), (scores.detach(),), (batch['bbox_pred'].detach(),), [META], NMS
        )
    assert scores.dtype == dtype and losses['loss_quality'].dtype == torch.float32
    sum(losses[name] for name in losses if 'loss' in name).backward()
    assert all(p.grad.isfinite().all() for p in head.parameters())
    assert sample.scores.isfinite().all() and (sample.scores > 0).all()
