"""The detector SDCN: its two steps rebuilt from the parts, who learns from what, odd images."""

import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.optim import build_optim_wrapper

from wsl_plugins.models.seg_heads import (
    boxes_to_map,
    detection_heat_map,
    heat_map_labels,
    map_classification_loss,
    segmentation_loss,
    segmentation_prior,
)
from wsl_plugins.models.seg_heads.collaboration import batch_prior, map_bags

from mmdet.structures.bbox import bbox2roi

SIZES, COUNTS, LABELS = [(64, 96), (80, 48)], [7, 5], [[1, 0, 1], [0, 1, 0]]
DEVICES = ['cpu'] + (['cuda'] if torch.cuda.is_available() else [])
BOTH = [(False, False), (True, False), (False, True), (True, True)]


def players(model, lr=(1e-3, 0.1), **settings):
    return build_optim_wrapper(
        model,
        ConfigDict(
            constructor='wsl_plugins.PlayerOptimWrapperConstructor',
            detector=dict(optimizer=dict(type='SGD', lr=lr[0]), **settings),
            classifier=dict(
                modules=['classifier'], optimizer=dict(type='SGD', lr=lr[1]), **settings
            ),
        ),
    )


def prepared(model, batch):
    data = model.data_preprocessor(batch, training=True)
    return data['inputs'], data['data_samples']


def parts(model):
    """Parameters of the classifier and the others, by name."""
    ours, others = {}, {}
    for name, parameter in model.named_parameters():
        (ours if name.startswith('classifier.') else others)[name] = parameter
    return ours, others


@pytest.mark.parametrize('seg_to_det, det_to_seg', BOTH)
def test_losses_of_the_first_step_rebuilt_from_the_parts(
    make_sdcn, make_batch, seg_to_det, det_to_seg
):
    model = make_sdcn(
        seg_to_det=seg_to_det,
        det_to_seg=det_to_seg,
        prior=dict(tau0=0.3),
        top_fraction=0.4,
        kept_fraction=0.25,
        adv_weight=0.7,
        map_cls_weight=0.3,
        seg_weight=0.6,
    )
    images, samples = prepared(model, make_batch(SIZES, COUNTS, LABELS))
    losses = model.loss(images, samples)
    labels = torch.tensor(LABELS)
    assert images.shape[-2:] == (80, 96)  # both images are padded

    feats = model.backbone(images)
    maps = model.seg_head(feats)
    assert maps.shape == (2, 4, 20, 24)
    cropped = [maps[0][:, :16], maps[1][:, :, :12]]
    boxes = [boxes_to_map(s.proposals.bboxes, (80, 96), (20, 24)) for s in samples]
    head = model.roi_head
    vectors = head.roi_features(feats[-1:], bbox2roi([s.proposals.bboxes for s in samples]))
    scores = head.mil_head(vectors, COUNTS)
    if seg_to_det:
        pairs = zip(cropped, boxes, strict=True)
        prior = torch.cat([segmentation_prior(m[:3], b, tau0=0.3) for m, b in pairs])
        assert prior.min() < 0.9
        scores = scores * prior
    expected = dict(loss_mil=head.mil_head.loss(scores, labels, COUNTS))
    teacher, found = scores.detach(), []
    for k, branch in enumerate(head.refine_heads):
        outputs = branch(vectors)
        targets = [
            head.sampler(s.proposals.bboxes, t, y)
            for s, t, y in zip(samples, teacher.split(COUNTS), labels, strict=True)
        ]
        bags = [s.proposals.bboxes for s in samples]
        expected[f's{k}.loss_cls'] = branch.loss(outputs, bags, targets)['loss_cls']
        teacher = outputs[0].detach().softmax(1)
        found.append(teacher)
    expected['loss_adv'] = 0.7 * model.classifier.generator_loss(images, maps, labels)
    expected['loss_map_cls'] = 0.3 * map_classification_loss(cropped, labels, 0.4)
    if det_to_seg:
        mean = torch.stack(found).mean(0)[:, :3].split(COUNTS)
        targets = [
            heat_map_labels(detection_heat_map(b, d, y, m.shape[1:]), 0.25)
            for m, b, d, y in zip(cropped, boxes, mean, labels, strict=True)
        ]
        assert all((t < 255).any() for t in targets)
        expected['loss_seg'] = 0.6 * segmentation_loss(cropped, targets)
    assert losses.keys() == expected.keys()
    for name, loss in expected.items():
        torch.testing.assert_close(losses[name], loss, msg=name)
        assert loss > 0


def test_without_instruction_the_detection_is_oicr(make_sdcn, make_detector, make_batch):
    model = make_sdcn(seg_to_det=False, det_to_seg=False)
    plain = make_detector()
    plain.load_state_dict(
        {k: v for k, v in model.state_dict().items() if k.startswith(('backbone', 'roi_head'))}
    )
    ours = model.loss(*prepared(model, make_batch(SIZES, COUNTS, LABELS)))
    theirs = plain.loss(*prepared(plain, make_batch(SIZES, COUNTS, LABELS)))
    assert set(ours) - set(theirs) == {'loss_adv', 'loss_map_cls'}
    for name, loss in theirs.items():
        assert torch.equal(ours[name], loss), name


def test_a_step_equals_two_steps_by_hand(make_sdcn, make_batch):
    model = make_sdcn()
    expected = copy.deepcopy(model)
    start = copy.deepcopy(model.state_dict())
    ours, others = parts(expected)
    images, samples = prepared(expected, make_batch(SIZES, COUNTS, LABELS))
    losses, maps = expected.generator_losses(images, samples)
    total = sum(losses.values())
    grads = torch.autograd.grad(total, others.values(), allow_unused=True)
    with torch.no_grad():
        for parameter, grad in zip(others.values(), grads, strict=True):
            parameter -= 0 if grad is None else 1e-3 * grad
    # the classifier sees the maps of before
    second = expected.classifier.classifier_loss(images, maps, torch.tensor(LABELS))
    grads = torch.autograd.grad(second, ours.values())
    with torch.no_grad():
        for parameter, grad in zip(ours.values(), grads, strict=True):
            parameter -= 0.1 * grad
    logs = model.train_step(make_batch(SIZES, COUNTS, LABELS), players(model))
    for (name, got), parameter in zip(model.named_parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(got, parameter, rtol=1e-5, atol=1e-8, msg=name)
    torch.testing.assert_close(logs['loss'], total)
    torch.testing.assert_close(logs['loss_classifier'], second)
    moved = {n.split('.')[0] for n, p in model.named_parameters() if not torch.equal(p, start[n])}
    assert moved == {'backbone', 'roi_head', 'seg_head', 'classifier'}


def test_no_player_receives_a_gradient_of_the_other(make_sdcn, make_batch, monkeypatch):
    model = make_sdcn()
    wrappers = players(model)
    ours, others = parts(model)
    seen = []
    for name, own, foreign in (('detector', others, ours), ('classifier', ours, others)):

        def step(name=name, own=own, foreign=foreign, closure=None):
            assert all(p.grad is not None and p.grad.isfinite().all() for p in own.values())
            assert all(p.grad is None for p in foreign.values())
            seen.append(name)

        monkeypatch.setattr(wrappers[name].optimizer, 'step', step)
    model.train_step(make_batch(SIZES, COUNTS, LABELS), wrappers)
    assert seen == ['detector', 'classifier']
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_instruction_carries_no_gradient(make_sdcn, make_batch):
    """The prior teaches the segmentation nothing, the heat map the detection nothing."""
    model = make_sdcn(adv_weight=0.0, map_cls_weight=0.0)
    losses = model.loss(*prepared(model, make_batch(SIZES, COUNTS, LABELS)))
    detection = sum(loss for name, loss in losses.items() if 'mil' in name or name[0] == 's')
    for parameter in model.seg_head.parameters():
        (grad,) = torch.autograd.grad(detection, parameter, retain_graph=True, allow_unused=True)
        assert grad is None
    for parameter in model.roi_head.parameters():
        (grad,) = torch.autograd.grad(
            losses['loss_seg'], parameter, retain_graph=True, allow_unused=True
        )
        assert grad is None


def test_prior_of_a_trained_model(make_sdcn, make_batch):
    """What multiplies the MIL scores in training, for tools that ask for it."""
    model = make_sdcn(prior=dict(tau0=0.25)).eval()
    images, samples = prepared(model, make_batch(SIZES, COUNTS, LABELS))
    prior = model.prior_of(images, samples)
    assert prior.shape == (sum(COUNTS), 3) and not prior.requires_grad
    taps = model.backbone(images)
    bags = map_bags(model.seg_head(taps), samples, images.shape[-2:])
    assert torch.equal(prior, batch_prior(*bags, tau0=0.25)) and prior.unique().numel() > 3
    model.seg_to_det = False
    assert model.prior_of(images, samples) is None


def test_a_plain_detector_predicts_the_same(make_sdcn, make_detector, make_batch):
    model, plain = make_sdcn().eval(), make_detector().eval()
    state = {k: v for k, v in model.state_dict().items() if k in plain.state_dict()}
    assert plain.load_state_dict(state).missing_keys == []
    ours = model.test_step(make_batch(SIZES, COUNTS, LABELS))
    theirs = plain.test_step(make_batch(SIZES, COUNTS, LABELS))
    for one, other in zip(ours, theirs, strict=True):
        assert len(one.pred_instances) and 'pred_sem_seg' not in one
        for key in ('bboxes', 'scores', 'labels'):
            assert torch.equal(one.pred_instances[key], other.pred_instances[key])


def test_maps_in_original_pixels(make_sdcn, make_batch):
    model = make_sdcn().eval()
    model.test_cfg.seg_maps = True
    batch = make_batch(SIZES, COUNTS, LABELS)
    for sample in batch['data_samples']:
        height, width = sample.img_shape
        sample.set_metainfo(dict(ori_shape=(2 * height, 2 * width), scale_factor=(0.5, 0.5)))
    images, samples = prepared(model, batch)
    full = model.segment(images, samples)
    results = model.predict(images, samples)
    for (height, width), maps, sample in zip(SIZES, full, results, strict=True):
        assert maps.shape == (4, 2 * height, 2 * width)
        torch.testing.assert_close(maps.sum(0), torch.ones(2 * height, 2 * width))
        assert torch.equal(sample.pred_sem_seg.sem_seg, maps.argmax(0, keepdim=True))
    # an image that fills the batch: enlarging twice is nearly enlarging once
    (alone,) = model.segment(images[:1, :, :64], samples[:1])
    direct = torch.nn.functional.interpolate(
        model.seg_head(model.backbone(images[:1, :, :64])), (128, 192), mode='bilinear'
    )[0]
    assert (alone - direct).abs().max() < 0.05


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('amp', ['OptimWrapper', 'wsl_plugins.BFloat16OptimWrapper'])
@pytest.mark.parametrize(
    'counts, labels',
    [([0, 0], [[1, 0, 0], [0, 1, 0]]), ([1, 0], [[1, 1, 1], [0, 0, 0]]), ([1, 9], [[0] * 3] * 2)],
    ids=['no proposal', 'one proposal', 'no class'],
)
def test_odd_images(make_sdcn, make_batch, counts, labels, amp, device):
    model = make_sdcn().to(device)
    start = copy.deepcopy(model.state_dict())
    wrappers = players(model, type=amp)
    for _ in range(2):
        logs = model.train_step(make_batch(SIZES, counts, labels), wrappers)
    assert all(torch.isfinite(value) for value in logs.values())
    assert all(p.isfinite().all() for p in model.parameters())
    moved = {n.split('.')[0] for n, p in model.named_parameters() if not torch.equal(p, start[n])}
    assert {'seg_head', 'classifier'} <= moved


@pytest.mark.parametrize('bias', [(0.0, 0.0, 0.0, 50.0), (50.0, 0.0, 0.0, 0.0)])
def test_maps_of_one_label_only(make_sdcn, make_batch, bias):
    """All background, or all one class: every other map is zero, in float32 exactly."""
    model = make_sdcn()
    with torch.no_grad():
        model.seg_head.conv_seg.weight.zero_()
        model.seg_head.conv_seg.bias.copy_(torch.tensor(bias) * 4)
    logs = model.train_step(make_batch(SIZES, COUNTS, LABELS), players(model))
    assert all(torch.isfinite(value) for value in logs.values())
    assert all(p.isfinite().all() for p in model.parameters())


def test_boxes_beside_the_image(make_sdcn, make_batch):
    """Proposals over the padding of the batch or outside of everything."""
    model = make_sdcn()
    batch = make_batch(SIZES, COUNTS, LABELS)
    batch['data_samples'][0].proposals.bboxes[:3] = torch.tensor(
        [[0.0, 70, 90, 79], [200, 200, 300, 300], [-50, -50, -10, -10]]
    )
    logs = model.train_step(batch, players(model))
    assert all(torch.isfinite(value) for value in logs.values())


def test_another_roi_head_is_refused(make_sdcn):
    with pytest.raises(ValueError, match='SDCN needs roi_head=.*SDCNRoIHead.*, got WSODRoIHead'):
        make_sdcn(roi_head='wsl_plugins.WSODRoIHead')


def test_other_optimisers_are_refused(make_sdcn, make_batch):
    model, batch = make_sdcn(), make_batch(SIZES, COUNTS, LABELS)
    sgd = dict(optimizer=dict(type='SGD', lr=0.1))
    single = build_optim_wrapper(model, dict(type='OptimWrapper', **sgd))
    with pytest.raises(TypeError, match="SDCN needs .*'classifier'.* got OptimWrapper$"):
        model.train_step(batch, single)
    wrong = build_optim_wrapper(
        model,
        dict(
            constructor='wsl_plugins.PlayerOptimWrapperConstructor',
            detector=sgd,
            classifier=dict(modules=['seg_head'], **sgd),
        ),
    )
    with pytest.raises(ValueError, match="'classifier' must hold the parameters of classifier"):
        model.train_step(batch, wrong)
