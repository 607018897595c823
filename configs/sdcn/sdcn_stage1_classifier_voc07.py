# Stage 1: the adversarial classifier, mmpretrain's ResNet-101 on the image labels of VOC 2007
_base_ = [
    'mmpretrain::_base_/models/resnet101.py',
    'mmpretrain::_base_/datasets/voc_bs16.py',
    'mmpretrain::_base_/default_runtime.py',
]
model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet101')),
    head=dict(_delete_=True, type='MultiLabelLinearClsHead', num_classes=20, in_channels=2048),
)
# the data set of the detector, so that all stages have the same images and labels
rename_labels = dict(
    type='KeyMapper', mapping=dict(gt_score='image_labels'), auto_remap=False, transforms=[]
)
# nearer to the 480 to 1200 pixels of the detector's inputs than 224
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=448, crop_ratio_range=(0.3, 1.0)),
    dict(type='RandomFlip', prob=0.5),
    rename_labels,
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=512, edge='short'),
    dict(type='CenterCrop', crop_size=448),
    _base_.test_pipeline[-1],
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='wsl_plugins.WSODVOCDataset',
        data_root='data/VOCdevkit/',
        ann_file='VOC2007/ImageSets/Main/trainval.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(dataset=dict(data_root='data/VOCdevkit/VOC2007', pipeline=test_pipeline))
test_dataloader = val_dataloader

# section 4.1: a constant rate of 5e-4 until convergence; the paper names no number of epochs
train_cfg = dict(by_epoch=True, max_epochs=20, val_interval=1)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=5e-4, momentum=0.9, weight_decay=5e-4))
auto_scale_lr = dict(base_batch_size=16)
