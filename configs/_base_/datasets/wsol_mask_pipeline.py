# Images with their localization masks, for the few-shot baseline; boxes count as filled masks.
# No random crop: mmpretrain's does not carry masks along.
mask_pipeline = [
    dict(type='mmpretrain.LoadImageFromFile'),
    dict(type='wsl_plugins.LoadLocalizationMask'),
    dict(type='mmpretrain.Resize', scale=(224, 224), backend='pillow'),
    dict(type='mmpretrain.RandomFlip', prob=0.5),
    dict(type='wsl_plugins.PackWSOLInputs'),
]
