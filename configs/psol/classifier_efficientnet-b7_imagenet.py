# Table 4: mmpretrain's EfficientNet-B7 as the classifier, one crop of 600 pixels
_base_ = [
    'mmpretrain::_base_/models/efficientnet_b7.py',
    '../_base_/datasets/wsol_imagenet.py',
    'mmpretrain::_base_/default_runtime.py',
]
test_pipeline = [
    dict(type='mmpretrain.LoadImageFromFile'),
    dict(type='mmpretrain.EfficientNetCenterCrop', crop_size=600, backend='pillow'),
    dict(type='wsl_plugins.PackWSOLInputs'),
]
train_dataloader = None
val_dataloader = None
val_evaluator = None
test_cfg = dict()
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_evaluator = [dict(type='mmpretrain.Accuracy', topk=(1, 5))]
