"""Heads of localizers: one contract for all, the maths of each against slow loops."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope
from torch import nn

from wsl_plugins.models.localizers import (
    ACoLHead,
    CAMHead,
    CenterGaussian,
    FSLHead,
    GradCAMClassifier,
    SPGHead,
    TriLiteHead,
    WSOLClassifier,
)
from wsl_plugins.models.localizers.acol_head import erase
from wsl_plugins.models.localizers.fsl_head import mask_targets
from wsl_plugins.models.localizers.localizer_head import normalize_maps
from wsl_plugins.models.localizers.spg_head import guidance_loss, guidance_masks

from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

HEADS = {
    'cam': lambda **kw: CAMHead(5, 8, **kw),
    'acol': lambda **kw: ACoLHead(5, 8, mid_channels=6, **kw),
    'spg': lambda **kw: SPGHead(
        5, 8, branch_channels=(4, 6), mid_channels=6, mid_channels_c=5, mask_size=32, **kw
    ),
    'trilite': lambda **kw: TriLiteHead(5, 8, **kw),
}


@pytest.fixture(autouse=True, params=['mmpretrain', 'mmdet'])
def scope(request):
    """Localizers are found and work whatever the default scope is."""
    init_default_scope(request.param)
    yield
    init_default_scope('mmengine')


DEVICES = ['cpu'] + ['cuda'] * torch.cuda.is_available()


@pytest.fixture(params=HEADS)
def make_head(request):
    def make(**kwargs):
        head = HEADS[request.param](**kwargs)
        head.init_weights()
        return head

    return make


def make_feats(n=2, size=(7, 9), device='cpu', seed=0):
    generator = torch.Generator().manual_seed(seed)
    big = (2 * size[0], 2 * size[1])
    shapes = [(n, 4, *big), (n, 6, *size), (n, 8, *size)]
    return tuple(torch.rand(s, generator=generator).to(device) for s in shapes)


def make_samples(labels, device='cpu'):
    return [DataSample().set_gt_label(label).to(device) for label in labels]


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('n, size', [(1, (7, 7)), (3, (5, 11)), (2, (1, 1))])
def test_contract(make_head, device, n, size):
    head = make_head().to(device)
    labels = list(range(n))
    losses = head.loss(make_feats(n, size, device), make_samples(labels, device))
    sum(losses.values()).backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    samples = head.eval().predict(make_feats(n, size, device), make_samples(labels, device))
    for sample, label in zip(samples, labels, strict=True):
        assert sample.score_map.shape == size and sample.score_map.dtype == torch.float32
        assert sample.score_map.isfinite().all()
        assert sample.score_map_label.tolist() == [label]
        assert sample.pred_score.shape == (5,)
        assert sample.pred_score.sum().item() == pytest.approx(1, abs=1e-5)
        assert sample.pred_label.item() == sample.pred_score.argmax().item()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast(make_head, dtype):
    head = make_head()
    with torch.autocast('cpu', dtype):
        losses = head.loss(make_feats(), make_samples([0, 1]))
        samples = head.predict(make_feats(), make_samples([0, 1]))
    assert all(value.isfinite() for value in losses.values())
    assert all(sample.score_map.dtype == torch.float32 for sample in samples)


def test_an_image_does_not_depend_on_its_batch(make_head):
    head = make_head().eval()
    feats = make_feats(3)
    together = head.predict(feats, make_samples([4, 0, 2]))
    for k, label in enumerate([4, 0, 2]):
        alone = head.predict(tuple(f[k : k + 1] for f in feats), make_samples([label]))[0]
        torch.testing.assert_close(together[k].score_map, alone.score_map)
        torch.testing.assert_close(together[k].pred_score, alone.pred_score)


def test_predicted_class(make_head):
    head = make_head(map_label='pred').eval()
    samples = head.predict(make_feats(3))
    assert [s.score_map_label.item() for s in samples] == [s.pred_label.item() for s in samples]
    true = head.localize(make_feats(3), torch.stack([s.pred_label[0] for s in samples]))[1]
    torch.testing.assert_close(torch.stack([s.score_map for s in samples]), true)


def test_true_class_needs_one_label(make_head):
    head = make_head()
    several = DataSample(metainfo=dict(image_id='a/b.jpg')).set_gt_label([1, 2])
    with pytest.raises(ValueError, match='a/b.jpg has 2 labels'):
        head.predict(make_feats(2), [DataSample().set_gt_label(0), several])
    with pytest.raises(ValueError, match="map_label='pred'"):
        head.predict(make_feats(1))
    with pytest.raises(ValueError, match=r"map_label must be one of .* got 'true'"):
        make_head(map_label='true')
    with pytest.raises(ValueError, match='num_classes must be at least 1, got 0'):
        CAMHead(0, 8)


def test_normalize_maps():
    maps = torch.tensor([[[1.0, 5.0], [3.0, 2.0]], [[4.0, 4.0], [4.0, 4.0]]])
    expected = torch.tensor([[[0.0, 1.0], [0.5, 0.25]], [[0.0, 0.0], [0.0, 0.0]]])
    torch.testing.assert_close(normalize_maps(maps), expected)


def test_cam_by_loops():
    """Equations 4 to 6: the mean of the map, plus the bias, is the logit."""
    head, feats = CAMHead(5, 8), make_feats(2, (3, 4))
    nn.init.normal_(head.fc.bias)
    logits, maps = head.localize(feats, torch.tensor([3, 1]))
    weight = head.fc.weight.detach().numpy()
    for n, label in enumerate([3, 1]):
        g = feats[-1][n].numpy()
        expected = np.zeros((3, 4))
        for i in range(3):
            for j in range(4):
                expected[i, j] = sum(weight[label, d] * g[d, i, j] for d in range(8))
        np.testing.assert_allclose(maps[n].detach(), expected, atol=1e-6)
        logit = expected.mean() + head.fc.bias[label].item()
        assert logits[n, label].item() == pytest.approx(logit, abs=1e-6)


def test_erase_by_hand():
    maps = torch.tensor([[[0.0, 2.0], [3.0, 4.0]], [[7.0, 7.0], [7.0, 7.0]]])
    feats = torch.full((2, 3, 2, 2), 5.0)
    erased = erase(feats, maps, 0.75)
    expected = torch.tensor([[[5.0, 5.0], [0.0, 0.0]], [[5.0, 5.0], [5.0, 5.0]]])
    for d in range(3):
        torch.testing.assert_close(erased[:, d], expected)
    assert not erase(feats, maps, 0.0).any()
    assert erase(feats, maps, 1.0)[0, 0].tolist() == [[5.0, 5.0], [5.0, 0.0]]


def test_acol_branch_b_sees_erased_features():
    head, feats = ACoLHead(5, 8, erase_threshold=0.4, mid_channels=6), make_feats(2)
    labels = torch.tensor([2, 0])
    map_a, map_b = head.class_maps(feats, labels)[:2]
    for n, label in enumerate(labels):
        own = map_a[n, label].detach()
        low, high = own.min(), own.max()
        kept = feats[-1][n].clone()
        for i in range(own.shape[0]):
            for j in range(own.shape[1]):
                if (own[i, j] - low) / (high - low) >= 0.4:
                    kept[:, i, j] = 0
        torch.testing.assert_close(map_b[n], head.branch_b(kept[None])[0])
    losses = head.loss(feats, make_samples(labels.tolist()))
    for name, maps in (('a', map_a), ('b', map_b)):
        expected = F.cross_entropy(maps.mean(dim=(2, 3)), labels)
        torch.testing.assert_close(losses[f'loss_{name}'], expected)
    maps = head.localize(feats, labels)[1]
    for n, label in enumerate(labels):
        a, b = ((m - m.min()) / (m.max() - m.min()) for m in (map_a[n, label], map_b[n, label]))
        torch.testing.assert_close(maps[n], torch.maximum(a, b))


@pytest.mark.parametrize('bad', [-0.1, 1.5])
def test_acol_threshold(bad):
    with pytest.raises(ValueError, match='erase_threshold must lie in 0..1'):
        ACoLHead(5, 8, erase_threshold=bad)


def test_guidance_masks_by_loops():
    generator = torch.Generator().manual_seed(1)
    attention = torch.rand(4, 12, 12, generator=generator)
    attention[2] *= 0.5  # few cells above the high threshold
    attention[3] = 0  # constant
    low, high = 0.3, 0.6
    masks = guidance_masks(attention, low, high)
    assert (attention[2] > high).sum() < 30 < (attention[0] > high).sum()
    for n in range(4):
        a = attention[n]
        limit = high if (a > high).sum() >= 30 else 0.7 * a.max()
        for i in range(12):
            for j in range(12):
                expected = 255
                if a[i, j] > limit:
                    expected = 1
                if a[i, j] < low:
                    expected = 0
                assert masks[n, i, j] == expected, (n, i, j)
    assert {0.0, 1.0, 255.0} == set(masks.unique().tolist())


def test_guidance_loss():
    logits = torch.tensor([[[2.0, -1.0], [0.5, 3.0]]], requires_grad=True)
    masks = torch.tensor([[[1.0, 0.0], [255.0, 0.0]]])
    terms = [np.log(1 + np.exp(-2)), np.log(1 + np.exp(-1)), np.log(1 + np.exp(3))]
    loss = guidance_loss(logits, masks)
    assert loss.item() == pytest.approx(np.mean(terms), abs=1e-6)
    loss.backward()
    assert logits.grad[0, 1, 0] == 0
    assert guidance_loss(logits, torch.full_like(masks, 255)).item() == 0


def test_spg_chain():
    """Class map teaches B2, B2 teaches B1, their mean teaches C; teachers get no gradient."""
    torch.manual_seed(0)
    head, feats = HEADS['spg'](), make_feats(2)
    labels = torch.tensor([3, 1])
    losses = head.loss(feats, make_samples(labels.tolist()))

    def up(maps):
        return F.interpolate(maps, (32, 32), mode='bilinear')[:, 0]

    own = up(head.classifier(feats[2])[torch.arange(2), labels][:, None])
    low, high = own.flatten(1).min(1).values, own.flatten(1).max(1).values
    attention = (own - low[:, None, None]) / (high - low)[:, None, None]
    b1 = up(head.shared_b(head.branch_b1(feats[0])))
    b2 = up(head.shared_b(head.branch_b2(feats[1])))
    c = up(head.branch_c(feats[2]))
    fused = (b1.sigmoid() + b2.sigmoid()) / 2
    for name, logits, teacher, thresholds in (
        ('b2', b2, attention, (0.01, 0.7)),
        ('b1', b1, b2.sigmoid(), (0.05, 0.5)),
        ('c', c, fused, (0.1, 0.7)),
    ):
        expected = guidance_loss(logits, guidance_masks(teacher, *thresholds))
        torch.testing.assert_close(losses[f'loss_{name}'], expected)
        head.zero_grad()
        losses[f'loss_{name}'].backward(retain_graph=True)
        moved = {n.split('.')[0] for n, p in head.named_parameters() if p.grad is not None}
        own_parts = {'b1': {'branch_b1', 'shared_b'}, 'b2': {'branch_b2', 'shared_b'}}
        assert moved == own_parts.get(name, {'branch_c'})


def test_spg_thresholds():
    with pytest.raises(ValueError, match=r'thresholds_b2 must be 0 <= low <= high <= 1'):
        SPGHead(5, 8, (4, 6), thresholds_b2=(0.5, 0.2))


def test_spg_guides_start_undecided():
    """Scaled by its one output, as Kaiming does by default, a guide would start sure of every
    cell: 6 to 21 in place of 0.2 to 0.8 here; on a trained network the classifier did not learn."""
    torch.manual_seed(0)
    head = SPGHead(5, 320, branch_channels=(40, 112), mid_channels=256, mid_channels_c=256)
    head.init_weights()
    b1, b2, c = (torch.randn(2, channels, 14, 14) for channels in (40, 112, 320))
    for guide in (head.shared_b(head.branch_b1(b1)), head.shared_b(head.branch_b2(b2))):
        assert guide.std() < 1
    assert head.branch_c(c).std() < 1


def test_fsl_targets_by_loops():
    masks = torch.from_numpy(np.random.default_rng(0).choice([0, 1, 255], (2, 6, 8)))
    masks[0, :3, :4] = 255
    targets, weights = mask_targets(masks, (2, 2))
    for n in range(2):
        for i in range(2):
            for j in range(2):
                block = masks[n, 3 * i : 3 * i + 3, 4 * j : 4 * j + 4]
                valid = (block != 255).sum().item()
                assert weights[n, i, j].item() == pytest.approx(valid / 12)
                share = (block == 1).sum().item() / valid if valid else 0
                assert targets[n, i, j].item() == pytest.approx(share, abs=1e-6)


def test_fsl_loss_is_the_pixel_wise_one():
    """Binary cross entropy over all valid pixels, each with its cell's logit."""
    head, feats = FSLHead(8), make_feats(2, (2, 3))
    masks = torch.from_numpy(np.random.default_rng(1).choice([0, 1, 255], (2, 8, 6)))
    samples = [DataSample(gt_seg_map=m.to(torch.uint8)) for m in masks]
    logits = head(feats)
    pixels = logits.repeat_interleave(4, dim=1).repeat_interleave(2, dim=2)
    valid = masks != 255
    expected = F.binary_cross_entropy_with_logits(pixels[valid], masks[valid].float())
    torch.testing.assert_close(head.loss(feats, samples)['loss'], expected)
    samples = head.predict(feats, [DataSample(), DataSample()])
    torch.testing.assert_close(samples[1].score_map, logits[1].sigmoid())
    with pytest.raises(ValueError, match='LoadLocalizationMask'):
        head.loss(feats, [DataSample(), DataSample()])


def test_center_gaussian():
    model = CenterGaussian()
    (sample,) = model(torch.rand(1, 3, 20, 30), mode='predict')
    for i, j in [(0, 0), (9, 14), (10, 15), (19, 3)]:
        y, x = (i + 0.5) / 10 - 1, (j + 0.5) / 15 - 1
        assert sample.score_map[i, j].item() == pytest.approx(
            np.exp(-(x * x + y * y) / 2), abs=1e-6
        )
    assert model(torch.rand(4, 3, 20, 30)).shape == (4, 20, 30)
    with pytest.raises(ValueError, match='no parameters to train'):
        model(torch.rand(1, 3, 8, 8), mode='loss')


CLASSIFIER = dict(
    backbone=dict(type='wsl_plugins.LocalizerResNet', depth=18, base_channels=4, stem_channels=4),
    head=dict(type='wsl_plugins.CAMHead', num_classes=5, in_channels=32),
)


def test_grad_cam_is_the_positive_part_of_cam():
    torch.manual_seed(0)
    model = GradCAMClassifier(**CLASSIFIER, target_layer='backbone.layer4')
    model.eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    images = torch.rand(3, 3, 64, 96)
    with torch.no_grad():
        samples = model(images, make_samples([4, 0, 2]), mode='predict')
        cam = model.head.localize(model.backbone(images), torch.tensor([4, 0, 2]))[1]
    expected = (cam / cam[0].numel()).relu()
    torch.testing.assert_close(torch.stack([s.score_map for s in samples]), expected)
    assert not model.backbone.layer4._forward_hooks
    assert samples[0].pred_score.shape == (5,)


def test_grad_cam_by_finite_differences():
    """At an inner layer: the weights are mean derivatives of the class score."""
    torch.manual_seed(0)
    model = GradCAMClassifier(**CLASSIFIER, target_layer='backbone.layer3').double()
    model.eval()
    image = torch.rand(1, 3, 32, 32, dtype=torch.double)
    (sample,) = model(image, make_samples([1]), mode='predict')
    with torch.no_grad():
        kept = []
        hook = model.backbone.layer3.register_forward_hook(lambda m, i, o: kept.append(o))
        model(image)
        hook.remove()
        feats, eps = kept[0], 1e-6
        alphas = []
        for d in range(feats.shape[1]):  # all cells of a channel together: sum of derivatives
            shifted = feats.clone()
            shifted[0, d] += eps
            scores = [model.head(model.backbone.layer4(f)[None])[0, 1] for f in (shifted, feats)]
            alphas.append((scores[0] - scores[1]) / eps / feats[0, d].numel())
        expected = sum(a * f for a, f in zip(alphas, feats[0], strict=True)).relu()
    torch.testing.assert_close(sample.score_map, expected.float(), atol=1e-6, rtol=1e-3)


def test_grad_cam_errors():
    with pytest.raises(ValueError, match="no layer 'backbone.layer9'"):
        GradCAMClassifier(**CLASSIFIER, target_layer='backbone.layer9')
    with pytest.raises(ValueError, match='map_label'):
        GradCAMClassifier(**CLASSIFIER, target_layer='backbone.layer4', map_label='x')


def test_inserted_layers():
    adl = dict(type='wsl_plugins.ADL', drop_rate=1.0, threshold=0.0)  # drops everything
    model = WSOLClassifier(**CLASSIFIER, inserts=[dict(after='backbone.layer3.0', layer=adl)])
    plain = WSOLClassifier(**CLASSIFIER)
    assert model.state_dict().keys() == plain.state_dict().keys()
    images = torch.rand(2, 3, 64, 64)
    seen = []
    model.backbone.layer3[1].register_forward_pre_hook(lambda m, args: seen.append(args[0]))
    model.train()
    model(images)
    assert not seen[-1].any()
    model.eval()
    model(images)
    assert seen[-1].any()
    twin = copy.deepcopy(model)
    twin.inserted[0].threshold = 1.0
    assert model.inserted[0].threshold == 0.0
    seen.clear()
    twin.train()
    twin(images)
    assert seen[-1].any()
    with pytest.raises(ValueError, match=r"no layer 'backbone.layer3.7': backbone.layer3 has 0, 1"):
        WSOLClassifier(**CLASSIFIER, inserts=[dict(after='backbone.layer3.7', layer=adl)])


# what pools by itself, and the option with which it gives maps
POOLING = [
    (dict(type='VisionTransformer', arch='deit-tiny'), 192, dict(out_type='featmap')),
    (dict(type='BEiTViT', arch='deit-tiny'), 192, dict(out_type='featmap')),
    (dict(type='ConvNeXt', arch='atto'), 320, dict(gap_before_final_norm=False)),
    (dict(type='TinyViT', arch='5m'), 320, dict(gap_before_final_norm=False)),
]


@pytest.mark.parametrize('name', ['cam', 'acol', 'trilite'])
@pytest.mark.parametrize('backbone, channels, option', POOLING, ids=lambda x: str(x)[:30])
def test_backbones_without_maps(backbone, channels, option, name):
    head = type(HEADS[name]())(5, channels)
    images, label = torch.rand(1, 3, 224, 224), torch.tensor([1])
    pooling = MODELS.build({**backbone, 'type': f'mmpretrain.{backbone["type"]}'})
    (key, value), *_ = option.items()
    with torch.no_grad(), pytest.raises(ValueError, match=f'{key}={value!r}'):
        head.localize(pooling(images), label)
    giving = MODELS.build({**backbone, **option, 'type': f'mmpretrain.{backbone["type"]}'})
    with torch.no_grad():
        assert head.localize(giving(images), label)[1].shape[0] == 1


def test_grad_cam_at_a_layer_without_maps():
    head = dict(type='mmpretrain.VisionTransformerClsHead', num_classes=5, in_channels=192)
    model = GradCAMClassifier(
        target_layer='backbone.layers.11',
        map_label='pred',
        backbone=dict(type='mmpretrain.VisionTransformer', arch='deit-tiny'),
        head=head,
    )
    with pytest.raises(
        ValueError, match=r'backbone.layers.11 gives \(1, 197, 192\), Grad-CAM needs'
    ):
        model.predict(torch.rand(1, 3, 224, 224))


def test_other_channels_and_a_pooling_neck():
    with pytest.raises(ValueError, match=r'in_channels=8, the backbone or neck gives a map of 7'):
        CAMHead(5, 8)((torch.rand(2, 7, 3, 3),))
    pooled = MODELS.build(dict(type='mmpretrain.GlobalAveragePooling'))((torch.rand(2, 8, 3, 3),))
    for head in (CAMHead(5, 8), HEADS['acol'](), HEADS['spg'](), HEADS['trilite'](), FSLHead(8)):
        with pytest.raises(ValueError, match='no GlobalAveragePooling as neck'):
            head(pooled)
