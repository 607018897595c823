"""The RoI head in mmdet's FastRCNN: batches, odd bags, precision, labels only."""

import pytest
import torch
from mmengine.structures import InstanceData

from wsl_plugins.models.mil_heads import weighted_cross_entropy

SIZES, COUNTS = [(64, 96), (80, 48), (64, 64)], [7, 12, 3]
LABELS = [[1, 0, 1], [0, 1, 0], [0, 0, 1]]
DEVICES = ['cpu'] + (['cuda'] if torch.cuda.is_available() else [])


def losses_of(model, batch):
    data = model.data_preprocessor(batch, training=True)
    return model.loss(data['inputs'], data['data_samples'])


def total(losses):
    return sum(losses.values())


@pytest.mark.parametrize('branches', [0, 3])
def test_batch_equals_the_images_one_by_one(make_detector, make_batch, branches):
    model = make_detector(refine_loss_weights=(1.0,) * branches)
    # equal sizes: padding a smaller image changes features at its border
    whole = losses_of(model, make_batch([(64, 64)] * 3, COUNTS, LABELS))
    assert set(whole) == {'loss_mil'} | {f's{k}.loss_cls' for k in range(branches)}
    batch = make_batch([(64, 64)] * 3, COUNTS, LABELS)
    single = [
        losses_of(model, dict(inputs=[image], data_samples=[sample]))
        for image, sample in zip(batch['inputs'], batch['data_samples'], strict=True)
    ]
    for key, value in whole.items():
        torch.testing.assert_close(
            value, torch.stack([s[key] for s in single]).mean(), rtol=1e-6, atol=1e-6
        )


def test_predictions_of_a_batch_equal_one_by_one(make_detector, make_batch):
    model = make_detector().eval()
    whole = model.test_step(make_batch([(64, 64)] * 3, COUNTS, LABELS))
    batch = make_batch([(64, 64)] * 3, COUNTS, LABELS)
    for image, sample, expected in zip(batch['inputs'], batch['data_samples'], whole, strict=True):
        (got,) = model.test_step(dict(inputs=[image], data_samples=[sample]))
        for key in ('bboxes', 'scores', 'labels'):
            torch.testing.assert_close(
                got.pred_instances[key], expected.pred_instances[key], rtol=1e-6, atol=1e-6
            )


def test_branches_teach_each_other_in_order(make_detector, make_batch):
    """The losses rebuilt from the parts: branch 1 learns from the MIL head, branch k from k-1."""
    model = make_detector(refine_loss_weights=(1.0, 0.5)).eval()
    batch = make_batch(SIZES[:1], COUNTS[:1], LABELS[:1])
    data = model.data_preprocessor(batch, training=True)
    x = model.extract_feat(data['inputs'])
    losses = model.loss(data['inputs'], data['data_samples'])
    head, boxes = model.roi_head, data['data_samples'][0].proposals.bboxes
    feats = head.roi_features(x, torch.cat([boxes.new_zeros(len(boxes), 1), boxes], 1))
    teacher = head.mil_head(feats, [len(boxes)])
    for k, weight in enumerate((1.0, 0.5)):
        target = head.sampler(boxes, teacher.detach(), torch.tensor(LABELS[0]))
        logits, _ = head.refine_heads[k](feats)
        expected = weight * weighted_cross_entropy(logits, target.labels, target.weights)
        torch.testing.assert_close(losses[f's{k}.loss_cls'], expected)
        assert expected > 0
        teacher = logits.softmax(1)
    picked = head.pseudo_labels(x, [data['data_samples'][0].proposals], torch.tensor(LABELS[:1]))
    assert len(picked) == 2 and len(picked[0][0].picked) == 2


def test_scores_are_the_mean_of_the_branches(make_detector):
    head = make_detector().roi_head
    feats = torch.randn(4, 16)
    expected = sum(torch.softmax(branch(feats)[0], 1) for branch in head.refine_heads) / 3
    torch.testing.assert_close(head.scores_and_deltas(feats, [4])[0], expected)
    wsddn = make_detector(refine_head=None).roi_head
    torch.testing.assert_close(
        wsddn.scores_and_deltas(feats, [4])[0][:, :3], wsddn.mil_head(feats, [4])
    )
    assert (wsddn.scores_and_deltas(feats, [4])[0][:, 3] == 0).all()


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('dtype', [None, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    'counts, labels',
    [
        (COUNTS, LABELS),
        ([0, 5, 1], LABELS),
        ([0, 0, 0], LABELS),
        ([1, 1, 1], [[1, 1, 1], [0, 0, 0], [1, 0, 0]]),
        ([4, 4, 4], [[0, 0, 0]] * 3),
    ],
    ids=['usual', 'empty bag', 'all empty', 'one proposal', 'no label'],
)
def test_contract(make_detector, make_batch, device, dtype, counts, labels):
    """Finite losses, a gradient for every parameter, well-formed predictions, whatever the bags."""
    model = make_detector().to(device)
    enabled = dtype is not None
    with torch.autocast(device, dtype=dtype or torch.bfloat16, enabled=enabled):
        losses = losses_of(model, make_batch(SIZES, counts, labels))
    assert all(value.isfinite() and value.dtype == torch.float32 for value in losses.values())
    total(losses).backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    if sum(counts) == 0:
        assert total(losses) == 0
    with torch.autocast(device, dtype=dtype or torch.bfloat16, enabled=enabled), torch.no_grad():
        results = model.eval().test_step(make_batch(SIZES, counts, labels))
    for result, count in zip(results, counts, strict=True):
        pred = result.pred_instances
        assert len(pred) <= 10 and (len(pred) > 0) == (count > 0)
        assert pred.bboxes.shape == (len(pred), 4) and pred.labels.dtype == torch.int64


def test_boxes_come_back_in_original_pixels(make_detector, make_batch):
    model = make_detector().eval()
    batch = make_batch([(64, 96)], [6], [[1, 0, 0]])
    sample = batch['data_samples'][0]
    sample.set_metainfo(dict(scale_factor=(2.0, 4.0), ori_shape=(16, 48)))
    expected = sample.proposals.bboxes / torch.tensor([2.0, 4.0, 2.0, 4.0])
    model.roi_head.test_cfg = None
    (result,) = model.test_step(batch)
    torch.testing.assert_close(result.pred_instances.bboxes, expected)
    assert result.pred_instances.scores.shape == (6, 4)


def test_missing_or_foreign_labels_are_named(make_detector, make_batch):
    model, batch = make_detector(), make_batch(SIZES, COUNTS, LABELS)
    del batch['data_samples'][1].image_labels
    with pytest.raises(ValueError, match=r'1\.jpg carries no image_labels'):
        losses_of(model, batch)
    batch['data_samples'][1].set_field(torch.ones(5), 'image_labels')
    with pytest.raises(ValueError, match=r'shape \(5,\), the head expects \(3,\)'):
        losses_of(model, batch)


def test_boxes_in_gt_instances_change_nothing(make_detector, make_batch):
    """Even a sample that carries boxes trains as if it did not."""
    model = make_detector()
    expected = losses_of(model, make_batch(SIZES, COUNTS, LABELS))
    batch = make_batch(SIZES, COUNTS, LABELS)
    for sample in batch['data_samples']:
        sample.gt_instances = InstanceData(
            bboxes=torch.rand(2, 4) * 40, labels=torch.tensor([0, 2])
        )
    got = losses_of(model, batch)
    assert all(torch.equal(got[key], expected[key]) for key in expected)


def test_pooling_keeps_box_coordinates_in_bfloat16(make_detector, make_batch):
    """A proposal at 601 px must not be pooled at 600 px because the features are bfloat16."""
    head = make_detector().roi_head
    feat = torch.arange(64.0).expand(1, 32, 4, 64).contiguous()
    rois = torch.tensor([[0, 601.0, 4, 633.0, 44]])
    expected = head.bbox_roi_extractor((feat,), rois)
    head.shared_head = torch.nn.Identity()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        got = head.roi_features((feat.bfloat16(),), rois)
    torch.testing.assert_close(got, expected.mean((2, 3)))


class EveryMap(torch.nn.Module):
    """An extractor of one's own, without ``num_inputs``: the mean over each map, side by side."""

    def forward(self, feats, rois):
        means = torch.cat([feat.mean(dim=(2, 3)) for feat in feats], dim=1)
        return means[rois[:, 0].long()]


def test_an_extractor_without_num_inputs_sees_every_map(make_detector):
    head = make_detector().roi_head
    head.bbox_roi_extractor, head.shared_head = EveryMap(), torch.nn.Identity()
    maps = tuple(torch.full((2, 4, 8 // n, 8 // n), float(n)) for n in (1, 2, 4))
    got = head.roi_features(maps, torch.tensor([[1.0, 0, 0, 9, 9]]))
    assert got.tolist() == [[1.0] * 4 + [2.0] * 4 + [4.0] * 4]


def test_fewer_maps_than_strides_are_refused(make_detector):
    head = make_detector().roi_head
    head.bbox_roi_extractor.featmap_strides = [4, 8, 16]
    with pytest.raises(ValueError, match='has 3 featmap_strides, .* gives 1 feature maps'):
        head.roi_features((torch.rand(1, 32, 4, 4),), torch.tensor([[0.0, 0, 0, 9, 9]]))


def test_layers_on_the_image_see_the_pooled_maps_only(make_detector, make_batch):
    head = make_detector(drop_layer=dict(type='wsl_plugins.SpatialDropout')).roi_head
    batch = make_batch([(64, 64)], [5], LABELS[:1])
    maps = (torch.rand(1, 32, 4, 4), torch.rand(1, 32, 2, 2))
    seen = []
    head.drop_layer.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    samples = batch['data_samples']
    head.loss(maps, [sample.proposals for sample in samples], samples)
    assert seen == [(1, 32, 4, 4)]


def test_branches_are_initialised(make_detector):
    model = make_detector(std=None)
    for linear in (
        model.roi_head.mil_head.fc_det,
        *(head.fc_cls for head in model.roi_head.refine_heads),
    ):
        assert 0.005 < linear.weight.std() < 0.015 and (linear.bias == 0).all()
