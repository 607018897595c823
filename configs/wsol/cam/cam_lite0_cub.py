# 5 epochs, as measured on 27 of the classes (cam_lite0_cub27.py). The 14 x 14 cells of 448 pixels
# localize better than those of 224 (stride 16); the stages up to stride 16 stay as they are
_base_ = [
    '../../_base_/models/cam_lite0.py',
    '../../_base_/datasets/wsol_cub.py',
    '../../_base_/schedules/wsol_10e.py',
    '../../_base_/wsol_runtime.py',
]
data_preprocessor = dict(mean=[127.0] * 3, std=[128.0] * 3)
model = dict(
    backbone=dict(output_stride=32, frozen_stages=3, frozen_norm=True), head=dict(num_classes=200)
)
train_pipeline = [
    dict(type='mmpretrain.LoadImageFromFile'),
    dict(type='mmpretrain.Resize', scale=(512, 512), backend='pillow'),
    dict(type='mmpretrain.RandomCrop', crop_size=448),
    dict(type='mmpretrain.RandomFlip', prob=0.5),
    dict(type='wsl_plugins.PackWSOLInputs'),
]
test_pipeline = [
    dict(type='mmpretrain.LoadImageFromFile'),
    dict(type='mmpretrain.Resize', scale=(448, 448), backend='pillow'),
    dict(type='wsl_plugins.PackWSOLInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
train_cfg = dict(max_epochs=5)
optim_wrapper = dict(optimizer=dict(lr=0.001))
param_scheduler = dict(milestones=[3, 4])
