# The generated data set of tools/make_wsol_demo.py: 96 pixels, five classes, boxes. Its masks:
# metadata_root='metadata_masks', mask_root='masks', require='masks' and wsl_plugins.PxAP.
_base_ = './wsol_cub.py'

data_preprocessor = dict(num_classes=5)
data = dict(data_root='data/wsol_demo/', data_prefix='images', metadata_root='metadata')
train_pipeline = [
    dict(type='mmpretrain.LoadImageFromFile'),
    dict(type='mmpretrain.Resize', scale=(104, 104), backend='pillow'),
    dict(type='mmpretrain.RandomCrop', crop_size=96),
    dict(type='mmpretrain.RandomFlip', prob=0.5),
    dict(type='wsl_plugins.PackWSOLInputs'),
]
test_pipeline = [
    dict(type='mmpretrain.LoadImageFromFile'),
    dict(type='mmpretrain.Resize', scale=(96, 96), backend='pillow'),
    dict(type='wsl_plugins.PackWSOLInputs'),
]
loader = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(loader, dataset=dict(data, pipeline=train_pipeline))
val_dataloader = dict(loader, dataset=dict(data, pipeline=test_pipeline))
test_dataloader = dict(loader, dataset=dict(data, pipeline=test_pipeline))
