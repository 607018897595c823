# Stage 1 of the CPU-sized recipe: ResNet-18, its last stage and head on 600 images
_base_ = './sdcn_stage1_classifier_voc07.py'

pretrained = dict(type='Pretrained', checkpoint='data/weights/resnet18_pqf.pth')
model = dict(
    backbone=dict(depth=18, frozen_stages=3, norm_eval=True, init_cfg=pretrained),
    head=dict(in_channels=512),
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=256, crop_ratio_range=(0.3, 1.0)),
    dict(type='RandomFlip', prob=0.5),
    _base_.rename_labels,
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=288, edge='short'),
    dict(type='CenterCrop', crop_size=256),
    _base_.test_pipeline[-1],
]
train_dataloader = dict(
    dataset=dict(ann_file='VOC2007/ImageSets/Main/train600.txt', pipeline=train_pipeline)
)
val_dataloader = dict(
    dataset=dict(split='', image_set_path='ImageSets/Main/val300.txt', pipeline=test_pipeline)
)
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=8, val_interval=4)
optim_wrapper = dict(optimizer=dict(lr=0.01))
param_scheduler = dict(type='MultiStepLR', by_epoch=True, milestones=[6], gamma=0.1)
