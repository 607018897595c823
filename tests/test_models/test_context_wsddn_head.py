"""WSDDN with the surroundings of boxes."""

import pytest
import torch

from wsl_plugins.models.mil_heads import ContextWSDDNHead
from wsl_plugins.registry import MODELS

from .test_wsddn_head import slow_scores


def test_scores_by_hand():
    torch.manual_seed(0)
    head = ContextWSDDNHead(in_channels=10, num_classes=3)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    feats, counts = torch.randn(7, 10), [3, 4]
    box, frame = feats[:, :5], feats[:, 5:]
    f = box @ head.fc_cls.weight.T + head.fc_cls.bias
    g = (box - frame) @ head.fc_det.weight.T
    wanted = slow_scores(f.tolist(), g.tolist(), counts)
    torch.testing.assert_close(head(feats, counts), wanted, rtol=1e-4, atol=1e-6)


def test_a_box_like_its_surroundings_is_not_favoured():
    """Classes are found, but all boxes alike score the same, whatever is in them."""
    head = ContextWSDDNHead(in_channels=8, num_classes=2)
    feats = torch.rand(4, 4).repeat(1, 2)
    scores = head(feats, [4])
    over_regions = scores / head.fc_cls(feats[:, :4]).softmax(dim=1)
    torch.testing.assert_close(over_regions, torch.full((4, 2), 0.25))


@pytest.mark.parametrize('with_background', [False, True])
def test_in_a_detector(make_detector, make_batch, with_background):
    model = make_detector(
        in_channels=64,
        bbox_roi_extractor=dict(type='wsl_plugins.ContextRoIExtractor', stride=16),
        shared_head=[dict(type='wsl_plugins.NormalizedAvgPool', scale=5.0, groups=2)],
        mil_head=dict(type='wsl_plugins.ContextWSDDNHead', with_background=with_background),
    )
    batch = make_batch([(64, 96), (96, 64)], [5, 0], [[1, 0, 1], [0, 1, 0]])
    batch = model.data_preprocessor(batch, True)
    losses = model.loss(batch['inputs'], batch['data_samples'])
    sum(loss for name, loss in losses.items() if 'loss' in name).backward()
    head = model.roi_head.mil_head
    assert head.fc_det.weight.grad.abs().sum() > 0
    assert head.fc_det.bias is None
    assert any(p.grad is not None and p.grad.any() for p in model.backbone.parameters())


def test_odd_vectors():
    with pytest.raises(ValueError, match='not odd: 7'):
        MODELS.build(dict(type='wsl_plugins.ContextWSDDNHead', in_channels=7, num_classes=2))
