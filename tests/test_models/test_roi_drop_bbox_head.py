"""RoIs that are left out, against slow loops; losses, against those of the RoIs that stay."""

import math
import statistics

import pytest
import torch
from mmengine.registry import init_default_scope

from wsl_plugins.models.roi_heads import RoIDropBBoxHead

from mmdet.models.roi_heads.bbox_heads import Shared2FCBBoxHead

SIZES = dict(in_channels=4, roi_feat_size=2, fc_out_channels=8, num_classes=2)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmdet')
    yield
    init_default_scope('mmengine')


def make(cls=RoIDropBBoxHead, **options):
    torch.manual_seed(0)
    return cls(**SIZES | options)


def batch(seed=0, images=2, count=40):
    """Scores that are mostly right, boxes, and targets of RoIs of two images."""
    torch.manual_seed(seed)
    labels = torch.randint(3, (images * count,))
    scores = 4 * torch.nn.functional.one_hot(labels, 3) + torch.randn(len(labels), 3)
    scores[torch.randperm(len(labels))[:8]] = torch.tensor([9.0, -9, 0])
    images = torch.arange(images).repeat_interleave(count)[:, None]
    rois = torch.cat(
        [images, torch.rand(len(labels), 2) * 20, torch.rand(len(labels), 2) * 20 + 30], 1
    )
    weights = torch.rand(len(labels), 1).expand(-1, 4) * (labels < 2)[:, None]
    return [
        scores.requires_grad_(),
        torch.randn(len(labels), 8, requires_grad=True),
        rois,
        labels,
        torch.ones(len(labels)),
        torch.randn(len(labels), 4),
        weights,
    ]


def slow_losses(scores, deltas, rois, labels, label_weights, targets, weights):
    losses = []
    for i, label in enumerate(labels.tolist()):
        exps = [math.exp(s) for s in scores[i].tolist()]
        loss = -math.log(exps[label] / sum(exps)) * label_weights[i].item()
        if label < 2:
            own = deltas[i, 4 * label : 4 * label + 4].tolist()
            for delta, target, weight in zip(
                own, targets[i].tolist(), weights[i].tolist(), strict=True
            ):
                d = abs(delta - target)
                loss += weight * (d - 0.5 if d >= 1 else d * d / 2)  # smooth L1, beta 1
        losses.append(loss)
    return losses


def slow_outliers(losses, images, labels, deviations):
    found = []
    for i in range(len(losses)):
        group = [
            x
            for x, *key in zip(losses, images, labels, strict=True)
            if key == [images[i], labels[i]]
        ]
        limit = statistics.fmean(group) + deviations * statistics.pstdev(group)
        found.append(losses[i] > limit)
    return found


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('deviations', [1, 2, 3])
def test_against_loop(seed, deviations):
    inputs = batch(seed)
    inputs[4][:5] = 0  # RoIs without weight are no part of a group
    head = make(deviations=deviations)
    found = head.loss(*inputs)
    losses = slow_losses(*inputs)
    counted = [i for i, w in enumerate(inputs[4].tolist()) if w > 0]
    drop = slow_outliers(
        [losses[i] for i in counted],
        [inputs[2][i, 0].item() for i in counted],
        [inputs[3][i].item() for i in counted],
        deviations,
    )
    kept = torch.ones(len(losses))
    kept[[i for i, out in zip(counted, drop, strict=True) if out]] = 0
    assert 0 < sum(drop) < len(drop) / 2 or deviations == 3
    inputs[4], inputs[6] = inputs[4] * kept, inputs[6] * kept[:, None]
    expected = make(Shared2FCBBoxHead).loss(*inputs)
    for key in ('loss_cls', 'loss_bbox'):
        torch.testing.assert_close(found[key], expected[key])
    assert found['roi_dropped'].item() == pytest.approx(sum(drop) / len(drop))


def test_dropped_rois_get_no_gradient():
    inputs = batch(count=60)
    head = make(deviations=1)
    with torch.no_grad():
        losses = torch.tensor(slow_losses(*inputs))
        drop = head.outlying(losses, inputs[2][:, 0], inputs[3])
    sum(value for key, value in head.loss(*inputs).items() if 'loss' in key).backward()
    assert drop.any() and not drop.all()
    assert (inputs[0].grad[drop] == 0).all() and (inputs[1].grad[drop] == 0).all()
    assert (inputs[0].grad[~drop] != 0).any(dim=1).all()


def test_same_as_the_host_without_outliers():
    inputs = batch()
    found = make(deviations=1e6).loss(*inputs)
    expected = make(Shared2FCBBoxHead).loss(*inputs)
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert found['roi_dropped'] == 0
    states = (make(cls).state_dict() for cls in (RoIDropBBoxHead, Shared2FCBBoxHead))
    ours, theirs = states
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


@pytest.mark.parametrize('weight', [0.0, 1.0])
@pytest.mark.parametrize('count', [0, 1, 7])
def test_nothing_to_learn_from(count, weight):
    """No RoI, or none that counts: finite losses, gradients of 0."""
    inputs = batch(images=1, count=60)
    inputs = [value[:count].detach().requires_grad_(i < 2) for i, value in enumerate(inputs)]
    inputs[3] = torch.full((count,), 2)
    inputs[4], inputs[6] = inputs[4].detach() * weight, inputs[6].detach() * 0
    losses = make(deviations=0.5).loss(*inputs)
    total = sum(value for key, value in losses.items() if 'loss' in key)
    assert torch.isfinite(total) and total.requires_grad
    total.backward()
    assert weight or not count or not inputs[0].grad.any()


@pytest.mark.parametrize('value', [-1, float('nan'), float('inf')])
def test_bad_option(value):
    with pytest.raises(ValueError, match=f'deviations must be finite and at least 0, got {value}'):
        make(deviations=value)
