# Ten-crop testing of classifiers, tools/test.py --tta: centre and corners, each flipped too
tta_model = dict(type='mmpretrain.AverageClsScoreTTA')
tta_pipeline = [
    dict(type='mmpretrain.LoadImageFromFile'),
    dict(type='mmpretrain.Resize', scale=(256, 256), backend='pillow'),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='wsl_plugins.FixedCrop', crop_size=224, position=position)
                for position in ('center', 'top_left', 'top_right', 'bottom_left', 'bottom_right')
            ],
            [dict(type='mmpretrain.RandomFlip', prob=prob) for prob in (0.0, 1.0)],
            [dict(type='wsl_plugins.PackWSOLInputs')],
        ],
    ),
]
