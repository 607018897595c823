"""Averaging over views against a loop over proposals."""

import pytest
import torch
from mmengine.structures import InstanceData
from torchvision.ops import nms

from wsl_plugins.models.tta import WSODTTAModel

LABEL = [[1, 0, 1]]


def views_of(make_batch):
    """Three views of one image: as it is, twice as large, and flipped."""
    plain = make_batch([(64, 96)], [9], LABEL)
    large, flipped = (
        make_batch([(128, 192)], [9], LABEL, seed=1),
        make_batch([(64, 96)], [9], LABEL),
    )
    boxes = plain['data_samples'][0].proposals.bboxes
    large['data_samples'][0].proposals = InstanceData(bboxes=boxes * 2)
    large['data_samples'][0].set_metainfo(dict(scale_factor=(2.0, 2.0), ori_shape=(64, 96)))
    mirrored = torch.stack([96 - boxes[:, 2], boxes[:, 1], 96 - boxes[:, 0], boxes[:, 3]], 1)
    flipped['inputs'] = [plain['inputs'][0].flip(-1)]
    flipped['data_samples'][0].proposals = InstanceData(bboxes=mirrored)
    flipped['data_samples'][0].set_metainfo(dict(flip=True, flip_direction='horizontal'))
    views = [plain, large, flipped]
    return boxes, dict(
        inputs=[v['inputs'] for v in views], data_samples=[v['data_samples'] for v in views]
    )


@pytest.mark.parametrize('branches', [0, 3])
def test_mean_equals_the_loop(make_detector, make_batch, branches):
    detector = make_detector(refine_loss_weights=(1.0,) * branches).eval()
    boxes, data = views_of(make_batch)
    detector.roi_head.test_cfg, cfg = None, detector.roi_head.test_cfg
    per_view = []
    for inputs, samples in zip(data['inputs'], data['data_samples'], strict=True):
        (result,) = detector.test_step(dict(inputs=inputs, data_samples=samples))
        per_view.append(result.pred_instances.scores)
    expected = []
    mean = [[sum(view[r][c].item() for view in per_view) / 3 for c in range(3)] for r in range(9)]
    for c in range(3):
        scores = torch.tensor([mean[r][c] for r in range(9)])
        expected += [(mean[r][c], c, *boxes[r].tolist()) for r in nms(boxes, scores, 0.3).tolist()]
    expected = sorted(expected, reverse=True)[:10]

    detector.roi_head.test_cfg = cfg
    (result,) = WSODTTAModel(detector).test_step(views_of(make_batch)[1])
    got = result.pred_instances
    assert got.labels.tolist() == [e[1] for e in expected]
    torch.testing.assert_close(
        got.scores, torch.tensor([e[0] for e in expected]), rtol=1e-5, atol=1e-6
    )
    torch.testing.assert_close(
        got.bboxes, torch.tensor([e[2:] for e in expected]), rtol=1e-5, atol=1e-4
    )


@pytest.mark.parametrize('agnostic', [False, True])
def test_regressed_boxes_are_averaged_per_class(make_detector, make_batch, agnostic):
    """With regression each view has its own boxes, one per class: brought back to the original
    image one by one, averaged, then NMS per class."""
    refine = dict(type='wsl_plugins.RefinementHead', with_reg=True, reg_class_agnostic=agnostic)
    detector = make_detector(refine_head=refine, std=0.03).eval()
    detector.roi_head.test_cfg, cfg = None, detector.roi_head.test_cfg
    cfg['max_per_img'] = 20
    _, data = views_of(make_batch)
    views = []
    for inputs, samples in zip(data['inputs'], data['data_samples'], strict=True):
        (result,) = detector.test_step(dict(inputs=inputs, data_samples=samples))
        views.append(result.pred_instances)
    columns = 1 if agnostic else 3
    assert views[0].bboxes.shape == (9, 4 * columns)
    expected, spread = [], 0.0
    for c in range(3):
        boxes, scores = [], []
        for r in range(9):
            corners = []
            for v, view in enumerate(views):
                x1, y1, x2, y2 = view.bboxes[r].view(columns, 4)[c % columns].tolist()
                corners.append((96 - x2, y1, 96 - x1, y2) if v == 2 else (x1, y1, x2, y2))
            boxes.append([sum(values) / 3 for values in zip(*corners, strict=True)])
            scores.append(sum(view.scores[r, c].item() for view in views) / 3)
            spread = max(spread, abs(corners[0][0] - corners[2][0]))
        kept = nms(torch.tensor(boxes), torch.tensor(scores), 0.3).tolist()
        expected += [(scores[r], c, *boxes[r]) for r in kept]
    assert len(expected) > 20  # the limit is at work
    expected = sorted(expected, reverse=True)[:20]
    assert spread > 1  # the views disagree

    detector.roi_head.test_cfg = cfg
    (result,) = WSODTTAModel(detector).test_step(views_of(make_batch)[1])
    got = result.pred_instances
    assert got.labels.tolist() == [e[1] for e in expected]
    torch.testing.assert_close(got.scores, torch.tensor([e[0] for e in expected]))
    torch.testing.assert_close(
        got.bboxes, torch.tensor([e[2:] for e in expected]), rtol=1e-5, atol=1e-3
    )


def test_one_view_equals_the_detector(make_detector, make_batch):
    (expected,) = make_detector().eval().test_step(make_batch([(64, 96)], [9], LABEL))
    batch = make_batch([(64, 96)], [9], LABEL)
    model = WSODTTAModel(make_detector().eval())
    for merge in ('mean', 'union'):
        model.merge = merge
        (got,) = model.test_step({key: [value] for key, value in batch.items()})
        torch.testing.assert_close(got.pred_instances.scores, expected.pred_instances.scores)
        torch.testing.assert_close(got.pred_instances.bboxes, expected.pred_instances.bboxes)


def test_union_keeps_the_best_view_of_each_proposal(make_detector, make_batch):
    model = WSODTTAModel(make_detector().eval(), merge='union')
    _, data = views_of(make_batch)
    (result,) = model.test_step(data)
    best = max(
        model.module.test_step(dict(inputs=i, data_samples=s))[0].pred_instances.scores[:, :3].max()
        for i, s in zip(*views_of(make_batch)[1].values(), strict=True)
    )
    assert result.pred_instances.scores[0] == best


def test_views_must_stay_aligned(make_detector, make_batch):
    model = WSODTTAModel(make_detector().eval())
    _, data = views_of(make_batch)
    data['data_samples'][1][0].proposals = data['data_samples'][1][0].proposals[:5]
    with pytest.raises(ValueError, match=r'0\.jpg have \[9, 5, 9\] proposals'):
        model.test_step(data)
    with pytest.raises(ValueError, match="'mean' or 'union', got 'max'"):
        WSODTTAModel(make_detector(), merge='max')
