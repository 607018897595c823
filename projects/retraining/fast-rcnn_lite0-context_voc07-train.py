# Small: 2,500 training images of VOC 2007 and a frozen network, for two cores
_base_ = ['./fast-rcnn_r50_fpn_1x_voc07.py', './lite0_context_data.py']

model = _base_.context_detector
load, _, annotations, nms, _, pack = _base_.train_pipeline
proposals, moves = _base_.context_proposals, _base_.context_moves
train_pipeline = [load, proposals, annotations, nms, moves, pack]
load, _, _, annotations, pack = _base_.test_pipeline
# boxes for a second round are chosen among the labels of an image
pack = dict(pack, meta_keys=(*pack['meta_keys'], 'image_labels'))
resize = dict(moves, transforms=moves['transforms'][:1])
test_pipeline = [load, proposals, resize, annotations, pack]
# one image at a time: padding would count as surroundings
train_dataloader = dict(
    batch_size=1,
    num_workers=0,
    persistent_workers=False,
    batch_sampler=None,
    dataset=dict(
        type='wsl_plugins.PseudoBoxCocoDataset',
        ann_file='pseudo_boxes/voc07_train.json',
        proposal_file='proposals/voc2007_train.npz',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        ann_file='VOC2007/ImageSets/Main/val.txt',
        proposal_file='proposals/voc2007_val.npz',
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=8, val_interval=8)
val_cfg = dict(fp16=True)  # in bfloat16 on CPUs
test_cfg = val_cfg
optim_wrapper = _base_.context_optimizer
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=400),
    dict(type='CosineAnnealingLR', T_max=8, by_epoch=True, convert_to_iter_based=True),
]
