# Stage 1 on the generated images: a narrow ResNet-18 of mmpretrain from scratch on image labels
_base_ = [
    'mmpretrain::_base_/models/resnet18.py',
    'mmpretrain::_base_/datasets/voc_bs16.py',
    'mmpretrain::_base_/default_runtime.py',
]
model = dict(
    backbone=dict(stem_channels=16, base_channels=16),
    head=dict(_delete_=True, type='MultiLabelLinearClsHead', num_classes=5, in_channels=128),
)
data_preprocessor = dict(num_classes=5)
metainfo = dict(classes=('ring', 'star', 'cross', 'checker', 'wedge'))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=128, crop_ratio_range=(0.6, 1.0)),
    dict(
        type='RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal']
    ),
    dict(type='KeyMapper', mapping=dict(gt_score='image_labels'), auto_remap=False, transforms=[]),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=128, edge='short'),
    _base_.test_pipeline[-1],
]
train_dataloader = dict(
    num_workers=2,
    persistent_workers=True,
    # the data set of the detector, so that all stages have the same images and labels
    dataset=dict(
        _delete_=True,
        type='wsl_plugins.WSODVOCDataset',
        data_root='data/demo/',
        metainfo=metainfo,
        ann_file='VOC2007/ImageSets/Main/train.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    num_workers=2,
    persistent_workers=True,
    dataset=dict(
        data_root='data/demo/VOC2007', metainfo=metainfo, split='test', pipeline=test_pipeline
    ),
)
test_dataloader = val_dataloader
train_cfg = dict(by_epoch=True, max_epochs=60, val_interval=10)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-2))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=59, begin=1, end=60, convert_to_iter_based=True),
]
randomness = dict(seed=0)
default_hooks = dict(checkpoint=dict(max_keep_ckpts=2))
