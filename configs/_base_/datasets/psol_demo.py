# The generated data set of tools/make_wsol_demo.py, 96 pixels. Its objects keep away from the
# centre, so that the whole image is tested, not a crop at the centre.
_base_ = './psol_cub.py'

data_preprocessor = dict(num_classes=5)
data = dict(data_root='data/wsol_demo/', data_prefix='images', metadata_root='metadata')
train_pipeline = [
    dict(type='mmpretrain.LoadImageFromFile'),
    dict(
        type='wsl_plugins.RandomResizedCropWithBox',
        scale=96,
        crop_ratio_range=(0.5, 1.0),
        min_kept=0.8,
        backend='pillow',
    ),
    dict(type='mmpretrain.RandomFlip', prob=0.5),
    dict(type='wsl_plugins.PackWSOLInputs'),
]
test_pipeline = [
    dict(type='mmpretrain.LoadImageFromFile'),
    dict(type='mmpretrain.Resize', scale=(96, 96), backend='pillow'),
    dict(type='wsl_plugins.PackWSOLInputs'),
]
loader = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(
    loader,
    batch_size=32,
    dataset=dict(data, box_file='pseudo_boxes.json', pipeline=train_pipeline),
)
val_dataloader = dict(loader, dataset=dict(data, pipeline=test_pipeline))
test_dataloader = dict(loader, dataset=dict(data, pipeline=test_pipeline))
