"""mmdet's own detectors beside this package: one optimiser step and one prediction each.

Built from the configs that mmdet installs, with narrow layers.
"""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

import wsl_plugins  # noqa: F401

import mmdet
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample

CONFIGS = Path(mmdet.__file__).parent / '.mim' / 'configs'
SIZE, WIDTH = 96, 32  # image side in pixels, channels


def _narrow(cfg: Config, **changes: object) -> dict:
    model = cfg.model
    model.backbone.update(base_channels=8, frozen_stages=0, init_cfg=None)
    model.neck.update(in_channels=[channels // 8 for channels in model.neck.in_channels])
    model.neck.out_channels = WIDTH
    cfg.merge_from_dict({f'model.{key}': value for key, value in changes.items()})
    return cfg.model


def fast_rcnn() -> dict:
    cfg = Config.fromfile(CONFIGS / 'fast_rcnn/fast-rcnn_r50_fpn_1x_coco.py')
    return _narrow(
        cfg,
        **{
            'roi_head.bbox_roi_extractor.out_channels': WIDTH,
            'roi_head.bbox_head.in_channels': WIDTH,
            'roi_head.bbox_head.fc_out_channels': WIDTH,
            'test_cfg.rcnn.score_thr': 0.0,
        },
    )


def faster_rcnn() -> dict:
    cfg = Config.fromfile(CONFIGS / 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py')
    return _narrow(
        cfg,
        **{
            'rpn_head.in_channels': WIDTH,
            'rpn_head.feat_channels': WIDTH,
            'roi_head.bbox_roi_extractor.out_channels': WIDTH,
            'roi_head.bbox_head.in_channels': WIDTH,
            'roi_head.bbox_head.fc_out_channels': WIDTH,
            'test_cfg.rcnn.score_thr': 0.0,
        },
    )


def fcos() -> dict:
    cfg = Config.fromfile(CONFIGS / 'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py')
    return _narrow(
        cfg,
        **{
            'bbox_head.in_channels': WIDTH,
            'bbox_head.feat_channels': WIDTH,
            'test_cfg.score_thr': 0.0,
        },
    )


def deformable_detr() -> dict:
    cfg = Config.fromfile(CONFIGS / 'deformable_detr/deformable-detr_r50_16xb2-50e_coco.py')
    layers = {
        f'{part}.{key}': value
        for part in ('encoder', 'decoder')
        for key, value in {
            'num_layers': 1,
            'layer_cfg.self_attn_cfg.embed_dims': WIDTH,
            'layer_cfg.ffn_cfg.embed_dims': WIDTH,
            'layer_cfg.ffn_cfg.feedforward_channels': WIDTH,
        }.items()
    }
    return _narrow(
        cfg,
        **layers,
        **{
            'num_queries': 20,
            'decoder.layer_cfg.cross_attn_cfg.embed_dims': WIDTH,
            'positional_encoding.num_feats': WIDTH // 2,
            'bbox_head.embed_dims': WIDTH,
            'test_cfg.max_per_img': 20,
        },
    )


def _batch() -> dict:
    generator = torch.Generator().manual_seed(0)
    inputs, samples = [], []
    for index in range(2):
        inputs.append((torch.rand(3, SIZE, SIZE, generator=generator) * 255).byte())
        sample = DetDataSample(
            metainfo=dict(
                img_id=index,
                img_shape=(SIZE, SIZE),
                ori_shape=(SIZE, SIZE),
                batch_input_shape=(SIZE, SIZE),
                scale_factor=(1.0, 1.0),
            )
        )
        boxes = torch.tensor([[10.0, 10, 50, 60], [40, 30, 90, 90]])
        sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.tensor([0, 5]))
        sample.proposals = InstanceData(bboxes=boxes + 3)
        samples.append(sample)
    return dict(inputs=inputs, data_samples=samples)


@pytest.mark.parametrize('config', [fast_rcnn, faster_rcnn, fcos, deformable_detr])
@pytest.mark.parametrize('amp', [False, True], ids=['float32', 'bfloat16'])
def test_trains_one_step_and_predicts(config, amp):
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = MODELS.build(config())
    model.init_weights()
    before = {name: value.clone() for name, value in model.named_parameters()}
    optim_wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-3))

    model.train()
    with torch.autocast('cpu', torch.bfloat16, enabled=amp):
        losses = model.train_step(_batch(), optim_wrapper)
    assert all(torch.isfinite(loss).all() for loss in losses.values()), losses
    changed = {
        name.split('.')[0] for name, p in model.named_parameters() if (p != before[name]).any()
    }
    heads = {name.split('.')[0] for name in before if name.split('.')[0].endswith('head')}
    assert {'backbone', 'neck'} | heads <= changed

    model.eval()
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16, enabled=amp):
        results = model.test_step(_batch())
    assert len(results) == 2
    for result in results:
        found = result.pred_instances
        assert len(found) > 0 and found.bboxes.shape == (len(found), 4)
        assert torch.isfinite(found.bboxes).all() and found.scores.max() <= 1


def weakly_fast_rcnn() -> dict:
    """The same with our RoI head."""
    model = fast_rcnn()
    model.roi_head = dict(
        type='wsl_plugins.WSODRoIHead',
        in_channels=WIDTH,
        num_classes=80,
        bbox_roi_extractor=model.roi_head.bbox_roi_extractor,
        shared_head=dict(
            type='wsl_plugins.FCSharedHead', in_channels=WIDTH, fc_channels=(WIDTH,), dropout=0.0
        ),
        mil_head=dict(type='wsl_plugins.WSDDNHead'),
        refine_head=dict(type='wsl_plugins.RefinementHead'),
    )
    return model


@pytest.mark.parametrize(
    ('config', 'proposals'),
    [(fast_rcnn, True), (weakly_fast_rcnn, True), (weakly_fast_rcnn, False)],
)
def test_a_level_that_is_not_pooled_learns_nothing(config, proposals):
    """As mmdet's Fast R-CNN, ours gives the convolution of a fifth level no gradient; with images
    without proposals neither, since processes must reduce the same parameters."""
    init_default_scope('mmdet')
    cfg = config()
    cfg.neck.add_extra_convs = 'on_output'  # else the fifth level is a maximum of the fourth
    torch.manual_seed(0)
    model = MODELS.build(cfg).train()
    batch = _batch()
    for sample in batch['data_samples']:
        sample.image_labels = torch.zeros(80, dtype=torch.long).index_fill_(0, torch.tensor(5), 1)
        if not proposals:
            sample.proposals = sample.proposals[:0]
    data = model.data_preprocessor(batch, training=True)
    model.parse_losses(model(**data, mode='loss'))[0].backward()
    named = model.named_parameters()
    idle = {name for name, p in named if p.requires_grad and p.grad is None}
    assert idle == {'neck.fpn_convs.4.conv.weight', 'neck.fpn_convs.4.conv.bias'}
