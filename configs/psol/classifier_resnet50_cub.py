# mmpretrain's ResNet-50 as the classifier of a "-Sep" model: trained on the image labels of CUB-200
# as the paper does (section 4.2); tools/test.py tests one crop, as the paper, with --tta ten
_base_ = [
    'mmpretrain::_base_/models/resnet50.py',
    '../_base_/datasets/wsol_cub.py',
    '../_base_/datasets/psol_ten_crop.py',
    '../_base_/schedules/psol_30e.py',
    'mmpretrain::_base_/default_runtime.py',
]
model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50')),
    head=dict(num_classes=200),
)
train_pipeline = [
    dict(type='mmpretrain.LoadImageFromFile'),
    dict(type='mmpretrain.RandomResizedCrop', scale=224, backend='pillow'),
    dict(type='mmpretrain.RandomFlip', prob=0.5),
    dict(type='wsl_plugins.PackWSOLInputs'),
]
test_pipeline = [
    dict(type='mmpretrain.LoadImageFromFile'),
    dict(type='mmpretrain.Resize', scale=(256, 256), backend='pillow'),
    dict(type='wsl_plugins.FixedCrop', crop_size=224),
    dict(type='wsl_plugins.PackWSOLInputs'),
]
train_dataloader = dict(batch_size=64, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_evaluator = [dict(type='mmpretrain.Accuracy', topk=(1, 5))]
test_evaluator = val_evaluator
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.001, momentum=0.9, weight_decay=5e-4),
    paramwise_cfg=dict(custom_keys={'head': dict(lr_mult=10)}),
)
param_scheduler = dict(type='MultiStepLR', by_epoch=True, milestones=[10, 20], gamma=0.1)
default_hooks = dict(checkpoint=dict(max_keep_ckpts=2, save_best='accuracy/top1', rule='greater'))
