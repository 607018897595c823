# VGG16-GAP: a convolution to 1,024 channels on conv5; what is new learns ten times faster
model = dict(
    type='wsl_plugins.WSOLClassifier',
    backbone=dict(
        type='wsl_plugins.LocalizerVGG',
        depth=16,
        score_map_size=14,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://vgg16'),
    ),
    neck=dict(type='wsl_plugins.ConvNeck', in_channels=512, out_channels=1024),
    head=dict(type='wsl_plugins.CAMHead', in_channels=1024),
)
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4, nesterov=True),
    paramwise_cfg=dict(custom_keys={'neck': dict(lr_mult=10), 'head': dict(lr_mult=10)}),
)
