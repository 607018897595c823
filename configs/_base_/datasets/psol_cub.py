# CUB-200-2011 with a pseudo box per training image (tools/make_pseudo_boxes.py)
_base_ = './wsol_cub.py'

train_pipeline = [
    dict(type='mmpretrain.LoadImageFromFile'),
    dict(
        type='wsl_plugins.RandomResizedCropWithBox',
        scale=224,
        crop_ratio_range=(0.2, 1.0),
        backend='pillow',
    ),
    dict(type='mmpretrain.RandomFlip', prob=0.5),
    dict(type='wsl_plugins.PackWSOLInputs'),
]
test_pipeline = [
    dict(type='mmpretrain.LoadImageFromFile'),
    dict(type='mmpretrain.Resize', scale=(256, 256), backend='pillow'),
    dict(type='wsl_plugins.FixedCrop', crop_size=224),
    dict(type='wsl_plugins.PackWSOLInputs'),
]
train_dataloader = dict(
    batch_size=64,
    dataset=dict(
        type='wsl_plugins.PseudoBoxDataset',
        box_file='pseudo_boxes/CUB_ddt-vgg16.json',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
# "-Sep" models do not classify
val_evaluator = [dict(type='wsl_plugins.LocAccuracy', topk=None)]
test_evaluator = val_evaluator
