# InceptionV3's images: 299 pixels; torchvision's weights know values in -1..1
preprocessor_299 = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])
train_pipeline_299 = [
    dict(type='mmpretrain.LoadImageFromFile'),
    dict(
        type='wsl_plugins.RandomResizedCropWithBox',
        scale=299,
        crop_ratio_range=(0.2, 1.0),
        backend='pillow',
    ),
    dict(type='mmpretrain.RandomFlip', prob=0.5),
    dict(type='wsl_plugins.PackWSOLInputs'),
]
test_pipeline_299 = [
    dict(type='mmpretrain.LoadImageFromFile'),
    dict(type='mmpretrain.Resize', scale=(320, 320), backend='pillow'),
    dict(type='wsl_plugins.FixedCrop', crop_size=299),
    dict(type='wsl_plugins.PackWSOLInputs'),
]
