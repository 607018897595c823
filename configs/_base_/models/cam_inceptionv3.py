# InceptionV3 up to Mixed_6e and two convolutions; what is new learns ten times faster
model = dict(
    type='wsl_plugins.WSOLClassifier',
    backbone=dict(
        type='wsl_plugins.LocalizerInceptionV3',
        score_map_size=14,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://inception_v3'),
    ),
    neck=dict(
        type='wsl_plugins.ConvNeck', in_channels=768, out_channels=1024, num_convs=2, dropout=0.5
    ),
    head=dict(type='wsl_plugins.CAMHead', in_channels=1024),
)
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4, nesterov=True),
    paramwise_cfg=dict(custom_keys={'neck': dict(lr_mult=10), 'head': dict(lr_mult=10)}),
)
