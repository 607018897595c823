"""Images of 1333 x 800 and proposals from one pixel to the whole image, in mmdet's detectors.

mmdet's own configs with few narrow layers: our RoI head in place of theirs, and theirs as they are.
A training step and a prediction, then the same in sub-batches.
"""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from wsl_plugins.engine.hooks import SequentialBatchHook

import mmdet
from mmdet.models.roi_heads import CascadeRoIHead
from mmdet.registry import MODELS

CONFIGS = Path(mmdet.__file__).parent / '.mim' / 'configs'
FAST = 'fast_rcnn/fast-rcnn_r50_fpn_1x_coco.py'
FASTER = 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'
CASCADE = 'cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py'
C4 = 'faster_rcnn/faster-rcnn_r50-caffe_c4-1x_coco.py'
DC5 = 'faster_rcnn/faster-rcnn_r50-caffe-dc5_1x_coco.py'
PVT = 'pvt/retinanet_pvtv2-b0_fpn_1x_coco.py'
SIZES = [(800, 1333), (750, 600)]  # height, width; the second is padded to the first
WIDTH, CLASSES, SUB_BATCH = 8, 3, 9


@pytest.fixture(autouse=True)
def mmdet_scope():
    init_default_scope('mmdet')
    yield
    init_default_scope('mmengine')


@pytest.fixture
def batch_of(make_batch, boxes_of_every_size):
    """Images with proposals, and image labels or boxes to learn from."""

    def make(images: int = 1, boxes: bool = False) -> dict:
        batch = make_batch(SIZES[:images], [0] * images, [[1, 0, 1]] * images)
        for sample in batch['data_samples']:
            found = boxes_of_every_size(*sample.img_shape)
            sample.proposals = InstanceData(bboxes=found, scores=torch.ones(len(found)))
            if boxes:
                sample.gt_instances.bboxes = found[[0, 1, 8, 11]]
                sample.gt_instances.labels = torch.tensor([0, 1, 2, 0])
        return batch

    return make


# ---- detectors


def narrow_resnet(model: dict) -> None:
    model['backbone'].update(depth=18, base_channels=4, init_cfg=None, style='pytorch')
    if 'neck' in model:
        model['neck'].update(in_channels=[4, 8, 16, 32], out_channels=WIDTH)


def weakly(path: str, per_roi: dict | None = None, **settings: object) -> dict:
    """A config of mmdet with our RoI head as ``projects/mixing_mist_into_mmdet`` says."""
    model = Config.fromfile(CONFIGS / path).model.to_dict()
    if 'rpn_head' in model:
        model['rpn_head'] = None
    model['data_preprocessor']['std'] = [58.395, 57.12, 57.375]  # no large numbers of Caffe
    narrow_resnet(model)
    extractor = model['roi_head']['bbox_roi_extractor']
    extractor['out_channels'] = WIDTH
    model.update(settings)
    return with_our_head(model, extractor, per_roi)


def with_our_head(model: dict, extractor: dict, per_roi: dict | None = None) -> dict:
    fc = dict(type='wsl_plugins.FCSharedHead', in_channels=WIDTH, fc_channels=(WIDTH,), dropout=0.0)
    model['roi_head'] = dict(
        type='wsl_plugins.WSODRoIHead',
        in_channels=512 if per_roi else WIDTH,
        num_classes=CLASSES,
        bbox_roi_extractor=extractor,
        shared_head=per_roi or fc,
        mil_head=dict(type='wsl_plugins.WSDDNHead'),
        refine_head=dict(type='wsl_plugins.RefinementHead', with_reg=True),
        sampler=dict(type='wsl_plugins.MISTSampler'),
    )
    model['test_cfg']['rcnn']['score_thr'] = 0.0
    return model


def fpn_five() -> dict:
    return weakly(FAST)


def fpn_four() -> dict:
    model = weakly(FAST)
    model['neck']['num_outs'] = 4
    return model


def faster_as_host() -> dict:
    return weakly(FASTER)


def cascade_as_host() -> dict:
    return weakly(CASCADE)


def mapped(channels: int, out_channels: int = WIDTH, **settings: object) -> dict:
    return dict(
        type='ChannelMapper',
        in_channels=[channels],
        out_channels=out_channels,
        kernel_size=1,
        **settings,
    )


def c4() -> dict:
    """Strides of 16, a ResNet's C5 per proposal; the backbone narrow, C5 of ResNet-18."""
    c5 = dict(type='ResLayer', depth=18, stage=3, norm_cfg=dict(type='BN', requires_grad=False))
    model = weakly(C4, per_roi=c5, neck=mapped(16, 256))
    model['roi_head']['bbox_roi_extractor']['out_channels'] = 256
    return model


def dc5() -> dict:
    return weakly(DC5, neck=mapped(32))


def vit() -> dict:
    """A plain ViT, one map of stride 16, and strides 32 and 64 after it."""
    pytest.importorskip('mmpretrain')
    model = weakly(FAST)
    arch = dict(embed_dims=32, num_layers=2, num_heads=2, feedforward_channels=32)
    model['backbone'] = dict(
        type='mmpretrain.VisionTransformer',
        arch=arch,
        img_size=224,
        patch_size=16,
        out_type='featmap',
        with_cls_token=False,
    )
    model['neck'] = mapped(32, num_outs=3)
    model['roi_head']['bbox_roi_extractor']['featmap_strides'] = [16, 32, 64]
    return model


def pvt() -> dict:
    """A transformer that is a pyramid by itself, under an FPN of five maps."""
    backbone = Config.fromfile(CONFIGS / PVT).model.backbone.to_dict()
    backbone.update(embed_dims=8, num_layers=[1, 1, 1, 1], init_cfg=None)
    neck = dict(type='FPN', in_channels=[8, 16, 40, 64], out_channels=WIDTH, num_outs=5)
    return dict(weakly(FAST), backbone=backbone, neck=neck)


def built(cfg: dict) -> torch.nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(ConfigDict(cfg))
    model.init_weights()
    for parameter in model.roi_head.parameters():  # away from the uniform scores of a fresh head
        if parameter.dim() == 2:
            torch.nn.init.normal_(parameter, std=0.02)
    return model.train()


# ---- what is looked at


def gradients(model: torch.nn.Module, batch: dict) -> tuple[dict, dict]:
    torch.manual_seed(0)
    data = model.data_preprocessor(copy.deepcopy(batch), training=True)
    assert data['inputs'].shape[-2:] == (800, 1344)
    loss, logs = model.parse_losses(model(**data, mode='loss'))
    model.zero_grad()
    loss.backward()
    named = model.named_parameters()
    return logs, {name: p.grad.clone() for name, p in named if p.grad is not None}


def assert_close(found: tuple[dict, dict], expected: tuple[dict, dict]) -> None:
    torch.testing.assert_close(found[0], expected[0], rtol=1e-4, atol=1e-5)
    assert found[1].keys() == expected[1].keys()
    for name, grad in expected[1].items():
        limit = 1e-4 * grad.abs().max().item() + 1e-6
        torch.testing.assert_close(found[1][name], grad, rtol=0, atol=limit, msg=name)
    assert any(grad.any() for name, grad in expected[1].items() if name.startswith('backbone'))


def predictions(model: torch.nn.Module, batch: dict) -> list[torch.Tensor]:
    with torch.no_grad():
        found = model.eval().test_step(copy.deepcopy(batch))
    model.train()
    for sample in found:
        height, width = sample.img_shape
        boxes = sample.pred_instances.bboxes
        assert len(boxes) and (boxes >= 0).all()
        assert (boxes <= torch.tensor([width, height] * 2)).all()
    return [torch.cat([s.pred_instances.bboxes.flatten(), s.pred_instances.scores]) for s in found]


def assert_sub_batches_are_the_same(model: torch.nn.Module, batch: dict) -> list[int]:
    """Losses, gradients and detections of one call and of sub-batches; rois of the one calls."""
    head = model.roi_head
    extractors = head.bbox_roi_extractor
    extractor = extractors[0] if isinstance(head, CascadeRoIHead) else extractors
    calls = []
    extractor.register_forward_pre_hook(lambda module, inputs: calls.append(len(inputs[1])))
    expected, boxes = gradients(model, batch), predictions(model, batch)
    at_once, calls[:] = list(calls), []
    hook = SequentialBatchHook(SUB_BATCH)
    hook.attach(model)
    assert_close(gradients(model, batch), expected)
    for found, box in zip(predictions(model, batch), boxes, strict=True):
        torch.testing.assert_close(found, box, rtol=1e-4, atol=1e-2)
    hook.detach()
    assert max(calls) == SUB_BATCH < min(at_once)
    return at_once


# ---- our head


def check_our_head(host: Callable[[], dict], batch: dict) -> torch.nn.Module:
    """The host trains on and detects among all proposals, pooled from every level it has."""
    model = built(host())
    extractor, levels = model.roi_head.bbox_roi_extractor, set()
    for level, layer in enumerate(extractor.roi_layers):
        layer.register_forward_pre_hook(lambda module, inputs, n=level: levels.add(n))
    rois = assert_sub_batches_are_the_same(model, batch)
    total = sum(len(sample.proposals) for sample in batch['data_samples'])
    assert rois == [total, total]  # of the step and of the test
    assert levels == set(range(len(extractor.featmap_strides)))
    return model


@pytest.mark.parametrize('host', [cascade_as_host, c4, vit])
def test_our_head(host, batch_of):
    check_our_head(host, batch_of())


@pytest.mark.slow
@pytest.mark.parametrize('host', [fpn_four, faster_as_host, dc5, pvt])
def test_our_head_in_more_hosts(host, batch_of):
    check_our_head(host, batch_of())


def test_our_head_and_an_fpn_of_five_maps(batch_of):
    """Four strides, five maps, as in all of mmdet's R-CNNs; two images of different sizes."""
    batch = batch_of(images=2)
    model = check_our_head(fpn_five, batch)
    with torch.no_grad():
        data = model.data_preprocessor(batch, training=True)
        maps = model.extract_feat(data['inputs'])
        assert len(maps) == 5
        bags = [sample.proposals for sample in data['data_samples']]
        targets = model.roi_head.pseudo_labels(maps, bags, torch.tensor([[1, 0, 1]] * 2))
    assert len(targets) == 3 and all(len(branch) == 2 for branch in targets)


# ---- mmdet's own heads with the hook


def own(path: str) -> dict:
    model = Config.fromfile(CONFIGS / path).model.to_dict()
    narrow_resnet(model)
    head = model['roi_head']
    several = isinstance(head['bbox_head'], list)
    for box_head in head['bbox_head'] if several else [head['bbox_head']]:
        box_head.update(in_channels=WIDTH, fc_out_channels=WIDTH, num_classes=CLASSES)
    head['bbox_roi_extractor']['out_channels'] = WIDTH
    if 'rpn_head' in model:
        model['rpn_head'].update(in_channels=WIDTH, feat_channels=WIDTH)
        model['train_cfg']['rpn_proposal'].update(nms_pre=200, max_per_img=30)
        model['test_cfg']['rpn'].update(nms_pre=200, max_per_img=30)
    model['test_cfg']['rcnn']['score_thr'] = 0.0
    return model


@pytest.mark.parametrize(
    'path',
    [FAST, FASTER, pytest.param(CASCADE, marks=pytest.mark.slow)],
    ids=['fast', 'faster', 'cascade'],
)
def test_heads_of_mmdet_in_sub_batches(path, batch_of):
    assert_sub_batches_are_the_same(built(own(path)), batch_of(boxes=True))
