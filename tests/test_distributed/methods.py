"""Every method as its demo config has it, made narrow, and batches of small images for them."""

import copy
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

import wsl_plugins  # noqa: F401  (before mmdet: it stands in for missing compiled ops)
from wsl_plugins.models.layers import ADL

from mmdet.registry import MODELS as DET_MODELS  # isort: skip
from mmdet.structures import DetDataSample  # isort: skip
from mmpretrain.registry import MODELS as CLS_MODELS  # isort: skip
from mmpretrain.structures import DataSample  # isort: skip

CONFIGS = Path(__file__).parents[2] / 'configs'
SIZE = 64

PCL = dict(
    refine_head=dict(_delete_=True, type='wsl_plugins.PCLHead'),
    sampler=dict(type='wsl_plugins.PCLSampler'),
)
ALTERNATING = dict(
    type='wsl_plugins.AlternatingFastRCNN',
    roi_head=dict(
        mil_head=dict(with_background=True), sampler=dict(suppress_by='all', conflict='iou')
    ),
)
PLAYERS = dict(
    _delete_=True,
    constructor='wsl_plugins.PlayerOptimWrapperConstructor',
    detector=dict(optimizer=dict(type='AdamW', lr=2e-3)),
    drop_layer=dict(modules=['roi_head.drop_layer'], optimizer=dict(type='SGD', lr=1e-4)),
)
NARROW = dict(
    backbone=dict(base_channels=8, stem_channels=8), neck=dict(in_channels=[64, 128, 256])
)
FEW_LAYERS = dict(num_layers=1, layer_cfg=dict(ffn_cfg=dict(feedforward_channels=32)))
NARROW_DETR = dict(NARROW, encoder=FEW_LAYERS, decoder=FEW_LAYERS)
NARROW_CLN = dict(NARROW, roi_head=dict(bbox_head=dict(fc_out_channels=32)))
FSL = dict(head=dict(_delete_=True, type='wsl_plugins.FSLHead', in_channels=128))
JOINT = dict(head=dict(type='wsl_plugins.JointBoxHead', num_classes=5))

# name: kind of batch, config, what is changed in its model, and in its optim_wrapper
METHODS = {
    'wsddn': ('bags', 'wsddn/wsddn_demo.py', {}, {}),
    'oicr': ('bags', 'oicr/oicr_demo.py', {}, {}),
    'pcl': ('bags', 'oicr/oicr_demo.py', dict(roi_head=PCL), {}),
    'mist': ('bags', 'mist/mist_demo_no-drop.py', {}, {}),
    'mist_drop': ('bags', 'mist/mist_demo.py', {}, {}),
    'alternating': ('bags', 'mist/mist_demo.py', ALTERNATING, PLAYERS),
    'sdcn': ('bags', 'sdcn/sdcn_demo.py', {}, {}),
    'cam': ('classes', 'wsol/cam/cam_demo.py', {}, {}),
    'has': ('classes', 'wsol/has/has_demo.py', {}, {}),
    'acol': ('classes', 'wsol/acol/acol_demo.py', {}, {}),
    'spg': ('classes', 'wsol/spg/spg_demo.py', {}, {}),
    'trilite': ('classes', 'wsol/trilite/trilite_demo.py', {}, {}),
    'adl': ('classes', 'wsol/adl/adl_demo.py', {}, {}),
    'cutmix': ('classes', 'wsol/cutmix/cutmix_demo.py', {}, {}),
    'fsl': ('classes', 'wsol/cam/cam_demo.py', FSL, {}),
    'psol': ('boxes', 'psol/psol_demo.py', {}, {}),
    'psol_joint': ('boxes', 'psol/psol_demo.py', JOINT, {}),
    'wend_fcos': ('objects', 'wend/wend_fcos_demo.py', {}, {}),
    'bcd_fcos': ('objects', 'wend/bcd_fcos_demo.py', {}, {}),
    'entropy_fcos': ('objects', 'wend/entropy_fcos_demo.py', {}, {}),
    'wend_faster_rcnn': ('objects', 'wend/wend_faster-rcnn_demo.py', {}, {}),
    'wend_cln': ('objects', 'wend/wend_cln_r50_cub.py', NARROW_CLN, {}),
    'wend_deformable_detr': ('objects', 'wend/wend_deformable-detr_r50_cub.py', NARROW_DETR, {}),
}


def config_of(name):
    """Config of a method, without weights to load."""
    _, path, model, optim_wrapper = copy.deepcopy(METHODS[name])  # merging takes _delete_ out
    cfg = Config.fromfile(CONFIGS / path)
    cfg.merge_from_dict(dict(model=model, optim_wrapper=optim_wrapper))
    without_weights(cfg.model)
    if 'data_preprocessor' in cfg:
        cfg.model.data_preprocessor = cfg.data_preprocessor
    init_default_scope(cfg.default_scope)
    return cfg


def without_weights(cfg):
    """Remove every ``Pretrained`` initialisation."""
    if isinstance(cfg, dict) and (cfg.get('init_cfg') or {}).get('type') == 'Pretrained':
        cfg.pop('init_cfg')
    for value in cfg.values() if isinstance(cfg, dict) else cfg:
        if isinstance(value, dict | list):
            without_weights(value)


def make_model(cfg):
    """The model as the runner builds it, from the same seed each time."""
    registry = CLS_MODELS if cfg.default_scope == 'mmpretrain' else DET_MODELS
    torch.manual_seed(0)
    model = registry.build(cfg.model)
    model.init_weights()
    return model


def make_deterministic(model):
    """No batch statistics and no dropout: an image does not depend on the others, nor on chance."""
    for module in model.modules():
        if isinstance(module, _BatchNorm | _DropoutNd | torch.nn.MultiheadAttention):
            module.eval()
        if isinstance(module, ADL):
            module.drop_rate = 1.0  # the most discriminative region is hidden each time


def make_batch(name, seed, count=4, empty=False):
    """Images, each from its own seed; ``empty``: bags without proposals, images without objects.

    An empty bag of every other image has no class either.
    """
    makers = dict(bags=bag, classes=labelled, boxes=labelled, objects=with_objects)
    pairs = [
        makers[METHODS[name][0]](torch.Generator().manual_seed(1000 * seed + i), i, empty)
        for i in range(count)
    ]
    inputs, samples = zip(*pairs, strict=True)
    return dict(inputs=list(inputs), data_samples=list(samples))


def image_of(generator):
    return torch.randint(256, (3, SIZE, SIZE), generator=generator, dtype=torch.uint8)


def random_boxes(count, generator):
    start = torch.rand(count, 2, generator=generator) * 40
    return torch.cat([start, start + 8 + torch.rand(count, 2, generator=generator) * 16], dim=1)


def meta_of(number):
    return dict(
        img_shape=(SIZE, SIZE),
        ori_shape=(SIZE, SIZE),
        batch_input_shape=(SIZE, SIZE),
        scale_factor=(1.0, 1.0),
        img_path=f'{number}.jpg',
        img_id=number,
        flip=False,
    )


def bag(generator, number, empty):
    """An image of one or two classes with 5 to 11 proposals."""
    image, sample = image_of(generator), DetDataSample(metainfo=meta_of(number))
    count = 0 if empty else int(torch.randint(5, 12, (), generator=generator))
    boxes = random_boxes(count, generator)
    labels = torch.zeros(5, dtype=torch.long)
    if not (empty and number % 2):
        labels[torch.randint(5, (2,), generator=generator)] = 1
    sample.proposals = InstanceData(bboxes=boxes, scores=torch.ones(count))
    sample.gt_instances = InstanceData()
    sample.set_field(labels, 'image_labels')
    return image, sample


def labelled(generator, number, empty):
    """An image of one class with a box and a mask."""
    image, sample = image_of(generator), DataSample(metainfo=meta_of(number))
    sample.set_gt_label(int(torch.randint(5, (), generator=generator)))
    box = random_boxes(1, generator)[0]
    sample.set_field(box / SIZE, 'gt_box')
    mask = torch.zeros(SIZE, SIZE, dtype=torch.uint8)
    x1, y1, x2, y2 = box.int().tolist()
    mask[y1:y2, x1:x2] = 1
    sample.set_field(mask, 'gt_seg_map')
    return image, sample


def with_objects(generator, number, empty):
    """An image with one or two objects of one class."""
    image, sample = image_of(generator), DetDataSample(metainfo=meta_of(number))
    boxes = random_boxes(0 if empty else 1 + number % 2, generator)
    labels = torch.zeros(len(boxes), dtype=torch.long)
    sample.gt_instances = InstanceData(bboxes=boxes, labels=labels)
    return image, sample
