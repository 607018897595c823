# The first 27 classes of CUB-200-2011, see wsol_cub27.py; for few images, small batches and crops
# that show a third of the image at least
_base_ = './psol_cub.py'

data_preprocessor = dict(num_classes=27)
data = dict(metadata_root='wsol_metadata/CUB27')
train_pipeline = [
    dict(type='mmpretrain.LoadImageFromFile'),
    dict(
        type='wsl_plugins.RandomResizedCropWithBox',
        scale=224,
        crop_ratio_range=(0.35, 1.0),
        backend='pillow',
    ),
    dict(type='mmpretrain.RandomFlip', prob=0.5),
    dict(type='wsl_plugins.PackWSOLInputs'),
]
# for the last epochs: objects as large as in the test
mild_pipeline = [
    train_pipeline[0],
    dict(
        type='wsl_plugins.RandomResizedCropWithBox',
        scale=224,
        crop_ratio_range=(0.75, 1.0),
        backend='pillow',
    ),
    *train_pipeline[2:],
]
train_dataloader = dict(
    batch_size=16,
    dataset=dict(data, box_file='pseudo_boxes/CUB27_ddt-resnet50.json', pipeline=train_pipeline),
)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
