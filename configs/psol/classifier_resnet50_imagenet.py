# mmpretrain's ResNet-50 as the classifier of a "-Sep" model: tools/test.py, with --tta ten crops
_base_ = [
    'mmpretrain::_base_/models/resnet50.py',
    '../_base_/datasets/wsol_imagenet.py',
    '../_base_/datasets/psol_ten_crop.py',
    'mmpretrain::_base_/default_runtime.py',
]
test_pipeline = [
    dict(type='mmpretrain.LoadImageFromFile'),
    dict(type='mmpretrain.Resize', scale=(256, 256), backend='pillow'),
    dict(type='wsl_plugins.FixedCrop', crop_size=224),
    dict(type='wsl_plugins.PackWSOLInputs'),
]
train_dataloader = None
val_dataloader = None
val_evaluator = None
test_cfg = dict()
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_evaluator = [dict(type='mmpretrain.Accuracy', topk=(1, 5))]
