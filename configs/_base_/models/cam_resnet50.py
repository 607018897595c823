# ResNet-50 with stride 16; as published, layer4 and the head learn ten times faster
model = dict(
    type='wsl_plugins.WSOLClassifier',
    backbone=dict(
        type='wsl_plugins.LocalizerResNet',
        depth=50,
        score_map_size=14,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    head=dict(type='wsl_plugins.CAMHead', in_channels=2048),
)
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4, nesterov=True),
    paramwise_cfg=dict(custom_keys={'backbone.layer4': dict(lr_mult=10), 'head': dict(lr_mult=10)}),
)
