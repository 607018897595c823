# Ten classes of ImageNet, images squeezed to 224 x 224 pixels, several boxes per image in test.
# There is no train-fullsup to choose by: a config on it trains a fixed schedule.
_base_ = './psol_cub.py'

data_preprocessor = dict(num_classes=10)
data = dict(data_prefix='imagenette', metadata_root='imagenette/wsol_metadata')
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
    dataset=dict(
        data,
        split='train',
        box_file='pseudo_boxes/imagenette_ddt-resnet50.json',
        pipeline=train_pipeline,
    ),
)
val_dataloader = None
val_evaluator = None
test_dataloader = dict(dataset=data)
