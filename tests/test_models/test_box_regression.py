"""Heads and backbones of PSOL: numbers by hand, the way back to the original image, contract."""

import math

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from wsl_plugins.models.localizers.box_regression_head import original_box
from wsl_plugins.registry import MODELS, TRANSFORMS

from mmpretrain.structures import DataSample


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')
    yield
    init_default_scope('mmengine')


def build(kind, **kwargs):
    torch.manual_seed(0)
    return MODELS.build(dict(type=f'wsl_plugins.{kind}', **kwargs))


def sample(gt_box=None, label=None, **meta):
    meta = dict(img_shape=(20, 10), ori_shape=(20, 10), image_id='a.jpg') | meta
    result = DataSample(metainfo=meta)
    if gt_box is not None:
        result.gt_box = torch.tensor(gt_box)
    return result if label is None else result.set_gt_label(label)


@pytest.fixture
def tiny():
    """Head of two inputs and two hidden units, weights by hand."""
    head = build('BoxRegressionHead', in_channels=2, hidden_channels=2)
    first, last = head.regressor[0], head.regressor[2]
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0, -1.0], [2.0, 0.0]]))
        first.bias.copy_(torch.tensor([0.0, -1.0]))
        last.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, 0.5]]))
        last.bias.copy_(torch.tensor([0.0, 0.0, 1.0, -1.0]))
    return head


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


FEATS = (torch.tensor([[3.0, 1.0], [0.0, 2.0]]),)
# hidden: relu(3 - 1, 6 - 1) = (2, 5); relu(-2, -1) = (0, 0)
OUT = [
    [sigmoid(2), sigmoid(5), sigmoid(-1), sigmoid(1.5)],
    [sigmoid(0), sigmoid(0), sigmoid(1), sigmoid(-1)],
]


def test_forward_and_loss_by_hand(tiny):
    torch.testing.assert_close(tiny(FEATS), torch.tensor(OUT))
    targets = [[0.1, 0.2, 0.5, 0.9], [0.0, 0.0, 1.0, 1.0]]  # xyxy
    encoded = [[0.1, 0.2, 0.4, 0.7], [0.0, 0.0, 1.0, 1.0]]  # x, y, w, h of the left top corner
    squares = [
        (o - t) ** 2 for a, b in zip(OUT, encoded, strict=True) for o, t in zip(a, b, strict=True)
    ]
    losses = tiny.loss(FEATS, [sample(t) for t in targets])
    assert set(losses) == {'loss_box'}
    assert losses['loss_box'].item() == pytest.approx(50 * sum(squares) / 8, rel=1e-5)
    tiny.loss_weight = 2.0
    losses = tiny.loss(FEATS, [sample(t) for t in targets])
    assert losses['loss_box'].item() == pytest.approx(2 * sum(squares) / 8, rel=1e-5)


def test_gradient_by_hand(tiny):
    tiny.loss(FEATS, [sample([0.0, 0.0, 1.0, 1.0])] * 2)['loss_box'].backward()
    x = [o[0] for o in OUT]  # dL/dx = 50 * 2 (x - 0) / 8, times x (1 - x)
    expected = sum(50 * 2 * v / 8 * v * (1 - v) for v in x)
    assert tiny.regressor[2].bias.grad[0].item() == pytest.approx(expected, rel=1e-5)
    assert all(p.grad.abs().sum() > 0 for p in tiny.parameters())


def test_numbers_of_parameters():
    """Table 2 of the paper: what -Joint adds to VGG-GAP, ResNet50 and VGG16, in millions."""
    for channels, added in ((512, 15.08 - 14.82), (2048, 26.61 - 25.56), (4096, 140.46 - 138.36)):
        head = build('BoxRegressionHead', in_channels=channels)
        assert sum(p.numel() for p in head.parameters()) / 1e6 == pytest.approx(added, abs=0.006)


@pytest.mark.parametrize('ori_shape', [(50, 120), (333, 77)])
@pytest.mark.parametrize('crop', [None, (30, 20)])
def test_the_way_there_and_back(ori_shape, crop):
    """A box inside the view, taken through the pipeline and the targets, returns as it was."""
    height, width = ori_shape
    box = np.array([[0.4 * width, 0.3 * height, 0.6 * width, 0.7 * height]])
    results = dict(img=np.zeros((height, width, 3), np.uint8), ori_shape=ori_shape, gt_bboxes=box)
    pipeline = [dict(type='mmpretrain.Resize', scale=(100, 80))]
    if crop:
        pipeline.append(dict(type='wsl_plugins.FixedCrop', crop_size=60))
    for transform in [*pipeline, dict(type='wsl_plugins.PackWSOLInputs')]:
        results = TRANSFORMS.build(transform)(results)
    meta = results['data_samples']
    x1, y1, x2, y2 = meta.gt_box
    back = original_box(
        torch.stack([x1, y1, x2 - x1, y2 - y1]),
        meta.img_shape,
        meta.ori_shape,
        meta.scale_factor,
        meta.get('crop_offset'),
    )
    torch.testing.assert_close(back, torch.tensor(box[0]).float(), rtol=1e-5, atol=1e-4)


def test_original_box_by_hand():
    """(512 high, 1024 wide) to 256 x 256, crop of 224: x * 4, y * 2."""
    box = torch.tensor([0.25, 0.5, 0.5, 0.75])  # 56..168, 112..280 in the crop; +16
    args = (224, 224), (512, 1024), (0.25, 0.5), (16, 16)
    got = original_box(box, *args)
    assert got.tolist() == [72 * 4, 128 * 2, 184 * 4, 296 * 2 - (296 * 2 - 512)]
    assert got.dtype == torch.float32
    # a box without crop may not leave the image on any side
    got = original_box(torch.tensor([0.5, 0.5, 1.0, 1.0]), (30, 40), (60, 40), (1.0, 0.5))
    assert got.tolist() == [20, 30, 40, 60]


@pytest.mark.parametrize(
    'img_shape, scale, offset',
    [
        ((224, 224), (0.25, 0.5), None),  # cropped by a transform that does not say so
        ((224, 224), (0.25, 0.5), (100, 16)),
        ((256, 256), (0.5, 0.5), None),  # resized twice
    ],
)
def test_a_way_back_that_does_not_fit(img_shape, scale, offset):
    with pytest.raises(ValueError, match=r'does not come from .*\(512, 1024\)'):
        original_box(torch.rand(4), img_shape, (512, 1024), scale, offset)


def test_predict(tiny):
    samples = [
        sample(img_shape=(20, 10), ori_shape=(40, 50), scale_factor=(0.2, 0.5)),
        sample(img_shape=(20, 10), ori_shape=(20, 10)),
    ]
    got = tiny.predict(FEATS, samples)
    assert got is samples
    x, y, w, h = OUT[0]
    expected = [x * 50, y * 40, min((x + w) * 50, 50), min((y + h) * 40, 40)]
    torch.testing.assert_close(got[0].pred_box, torch.tensor(expected))
    x, y, w, h = OUT[1]
    expected = [x * 10, y * 20, min((x + w) * 10, 10), (y + h) * 20]
    torch.testing.assert_close(got[1].pred_box, torch.tensor(expected))


def test_joint():
    head = build('JointBoxHead', in_channels=2, num_classes=3, hidden_channels=2)
    with torch.no_grad():
        head.fc.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
        head.fc.bias.zero_()
    logits, boxes = head(FEATS)
    assert logits.tolist() == [[3, 1, 0], [0, 2, 0]]
    torch.testing.assert_close(boxes, head.regress(FEATS))
    samples = [sample([0.0, 0.0, 1.0, 1.0], label=k, img_shape=(20, 10)) for k in (1, 2)]
    losses = head.loss(FEATS, samples)
    assert set(losses) == {'loss_cls', 'loss_box'}
    sums = [math.log(sum(map(math.exp, row))) for row in ([3, 1, 0], [0, 2, 0])]
    assert losses['loss_cls'].item() == pytest.approx((sums[0] - 1 + sums[1]) / 2, rel=1e-5)
    targets = torch.tensor([0.0, 0.0, 1.0, 1.0])
    expected = 50 * ((boxes - targets) ** 2).mean()
    torch.testing.assert_close(losses['loss_box'], expected)
    got = head.predict(FEATS, samples)
    assert [s.pred_label.tolist() for s in got] == [[0], [1]]
    expected = [math.exp(v - sums[0]) for v in (3, 1, 0)]
    torch.testing.assert_close(got[0].pred_score, torch.tensor(expected))
    assert got[0].pred_box.shape == (4,)


def test_auxiliary():
    box = dict(type='wsl_plugins.JointBoxHead', num_classes=2)
    head = build('AuxiliaryHead', head=dict(box, in_channels=3), aux_head=dict(box, in_channels=2))
    feats = (torch.rand(2, 2), torch.rand(2, 3))
    samples = [sample([0.0, 0.0, 1.0, 0.5], label=k, img_shape=(20, 10)) for k in (0, 1)]
    losses = head.loss(feats, samples)
    main, aux = head.head.loss(feats[1:], samples), head.aux_head.loss(feats[:1], samples)
    assert set(losses) == {'loss_cls', 'loss_box', 'aux.loss_cls', 'aux.loss_box'}
    for name in ('loss_cls', 'loss_box'):
        torch.testing.assert_close(losses[name], main[name])
        torch.testing.assert_close(losses[f'aux.{name}'], 0.3 * aux[name])
    torch.testing.assert_close(head(feats[1:])[1], head.head(feats[1:])[1])
    assert head.predict(feats[1:], samples)[0].pred_score.shape == (2,)
    with pytest.raises(ValueError, match='two features in training, .*AuxInceptionV3.* got 1'):
        head.loss(feats[1:], samples)


def test_errors(tiny):
    with pytest.raises(ValueError, match=r'features \(N, 2\), got \(2, 2, 7, 7\).*GlobalAverage'):
        tiny((torch.rand(2, 2, 7, 7),))
    with pytest.raises(ValueError, match='b.jpg has no gt_box.*PseudoBoxDataset'):
        tiny.loss(FEATS, [sample([0.0] * 4), sample(image_id='b.jpg')])
    with pytest.raises(ValueError, match='need data samples'):
        tiny.predict(FEATS)
    with pytest.raises(ValueError, match='a.jpg is flipped'):
        tiny.predict(FEATS, [sample(flip=True), sample()])
    with pytest.raises(ValueError, match='an image lacks img_shape and ori_shape'):
        tiny.predict(FEATS, [DataSample(), sample()])
    with pytest.raises(ValueError, match='num_classes must be at least 1, got 0'):
        build('JointBoxHead', in_channels=2, num_classes=0)
    joint = build('JointBoxHead', in_channels=2, num_classes=2)
    with pytest.raises(ValueError, match='a.jpg has 0 labels'):
        joint.loss(FEATS, [sample([0.0, 0.0, 1.0, 1.0])] * 2)


def classifier(head):
    return dict(
        type='mmpretrain.ImageClassifier',
        backbone=dict(type='mmpretrain.ResNet', depth=18, base_channels=8),
        neck=dict(type='mmpretrain.GlobalAveragePooling'),
        head=dict(type=f'wsl_plugins.{head}', in_channels=64, hidden_channels=16),
    )


@pytest.mark.parametrize('head', ['BoxRegressionHead', 'JointBoxHead'])
@pytest.mark.parametrize('count', [1, 3])
@pytest.mark.parametrize('dtype', [None, torch.bfloat16, torch.float16])
def test_contract(head, count, dtype):
    """One image and several, not square, with and without automatic precision."""
    cfg = classifier(head)
    if head == 'JointBoxHead':
        cfg['head']['num_classes'] = 5
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    model.train() if count > 1 else model.eval()
    inputs = torch.rand(count, 3, 48, 80)
    samples = [
        sample([0.1, 0.2, 0.5, 1.0], label=1, img_shape=(48, 80), ori_shape=(96, 40))
        for _ in range(count)
    ]
    for s in samples:
        s.set_metainfo(dict(scale_factor=(2.0, 0.5)))
    with torch.autocast('cpu', dtype, enabled=dtype is not None):
        losses = model(inputs, samples, mode='loss')
        predicted = model.eval()(inputs, samples, mode='predict')
    assert all(v.dtype == torch.float32 and v.isfinite() for v in losses.values())
    sum(losses.values()).backward()
    assert model.backbone.conv1.weight.grad.abs().sum() > 0
    for s in predicted:
        x1, y1, x2, y2 = s.pred_box.tolist()
        assert s.pred_box.dtype == torch.float32
        assert 0 <= x1 < x2 <= 40 and 0 <= y1 < y2 <= 96
        assert head == 'BoxRegressionHead' or s.pred_score.sum().item() == pytest.approx(1)


def test_it_learns_boxes():
    """Bright rectangles on black: the loss falls to a tenth."""
    cfg = classifier('BoxRegressionHead')
    cfg['backbone']['strides'] = (1, 2, 2, 1)
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    images, samples = torch.zeros(8, 3, 32, 32), []
    for k in range(8):
        x, y, w, h = 2 + 2 * k, 16 - 2 * k, 10 + k % 3, 14 - k % 4
        images[k, :, y : y + h, x : x + w] = 1
        target = [x / 32, y / 32, (x + w) / 32, (y + h) / 32]
        samples.append(sample(target, img_shape=(32, 32), ori_shape=(32, 32)))
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        losses.append(model(images, samples, mode='loss')['loss_box'])
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < losses[0] / 10


def test_pooled_vgg_is_torchvisions():
    """Same names and shapes but for the last layer; the vectors are those of its layers."""
    import torch.nn.functional as F
    from torchvision.models import vgg11

    with torch.device('meta'):  # 120 million parameters
        reference = vgg11(weights=None, init_weights=False)
        shapes = {k: v.shape for k, v in build('PooledVGG', depth=11).state_dict().items()}
    expected = {k: v.shape for k, v in reference.state_dict().items()}
    assert {k: v for k, v in expected.items() if not k.startswith('classifier.6')} == shapes
    backbone = build('PooledVGG', depth=11, fc_channels=8)
    backbone.eval()
    x = image = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        (got,) = backbone(x)
        first, last = backbone.classifier[0], backbone.classifier[3]
        ours = [layer for layer in backbone.features if isinstance(layer, torch.nn.Conv2d)]
        for layer in reference.features:
            x = ours.pop(0)(x) if isinstance(layer, torch.nn.Conv2d) else layer(x)
        hidden = F.relu(first(F.adaptive_avg_pool2d(x, 7).flatten(1)))
        torch.testing.assert_close(got, F.relu(last(hidden)))
        assert got.shape == (1, 8)
        maps = build('PooledVGG', depth=11, fc_channels=None)
        maps.features = backbone.features
        torch.testing.assert_close(maps(image)[0], x)


def test_aux_inception_is_torchvisions():
    from torchvision.models import inception_v3

    reference = inception_v3(weights=None, init_weights=False, aux_logits=True)
    backbone = build('AuxInceptionV3')
    for model in (backbone, reference):
        model.eval()
    missing, unexpected = backbone.load_state_dict(reference.state_dict(), strict=False)
    assert missing == []
    assert {name.rsplit('.', 1)[0] for name in unexpected} == {'fc', 'AuxLogits.fc'}
    reference.fc = reference.AuxLogits.fc = torch.nn.Identity()
    x = torch.rand(1, 3, 299, 299)
    with torch.no_grad():
        (got,) = backbone(x)
        torch.testing.assert_close(got, reference(x))
        for model in (backbone, reference):  # auxiliary output, statistics of evaluation
            model.training = True
        aux, last = backbone(x)
        expected = reference(x)
    torch.testing.assert_close(aux, expected.aux_logits)
    torch.testing.assert_close(last, expected.logits)
