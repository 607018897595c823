# CUB-200-2011 for weakly supervised localization, boxes. Metadata in the published layout:
# docs/wsol_data.md. Validation on train-fullsup chooses everything; test is for the last number.
dataset_type = 'wsl_plugins.WSOLDataset'
data = dict(
    type=dataset_type,
    data_root='data/',
    data_prefix='CUB_200_2011/images',
    metadata_root='wsol_metadata/CUB',
)
data_preprocessor = dict(
    num_classes=200,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)

# squashed, not cropped: the whole image is seen, as the evaluation wants it
train_pipeline = [
    dict(type='mmpretrain.LoadImageFromFile'),
    dict(type='mmpretrain.Resize', scale=(256, 256), backend='pillow'),
    dict(type='mmpretrain.RandomCrop', crop_size=224),
    dict(type='mmpretrain.RandomFlip', prob=0.5),
    dict(type='wsl_plugins.PackWSOLInputs'),
]
test_pipeline = [
    dict(type='mmpretrain.LoadImageFromFile'),
    dict(type='mmpretrain.Resize', scale=(224, 224), backend='pillow'),
    dict(type='wsl_plugins.PackWSOLInputs'),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(data, split='train-weaksup', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(data, split='train-fullsup', require='boxes', pipeline=test_pipeline),
)
test_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(data, split='test', require='boxes', pipeline=test_pipeline),
)
val_evaluator = [
    dict(type='wsl_plugins.MaxBoxAcc'),
    dict(type='wsl_plugins.LocAccuracy'),
    dict(type='mmpretrain.Accuracy', topk=(1, 5)),
]
test_evaluator = val_evaluator
