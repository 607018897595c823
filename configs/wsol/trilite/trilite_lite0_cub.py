_base_ = [
    '../../_base_/models/trilite_lite0.py',
    '../../_base_/datasets/wsol_cub.py',
    '../../_base_/schedules/wsol_50e.py',
    '../../_base_/wsol_runtime.py',
]
data_preprocessor = dict(mean=[127.0] * 3, std=[128.0] * 3)
model = dict(head=dict(num_classes=200))
# squeezed, mirrored and not cropped: as it was measured
train_pipeline = [
    dict(type='mmpretrain.LoadImageFromFile'),
    dict(type='mmpretrain.Resize', scale=(448, 448), backend='pillow'),
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
