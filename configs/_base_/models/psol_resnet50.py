# PSOL-ResNet50-Sep; what is new learns twice as fast, at a constant rate: the boxes are noisy
model = dict(
    type='mmpretrain.ImageClassifier',
    backbone=dict(
        type='mmpretrain.ResNet',
        depth=50,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    neck=dict(type='mmpretrain.GlobalAveragePooling'),
    head=dict(type='wsl_plugins.BoxRegressionHead', in_channels=2048),
)
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.001, momentum=0.9, weight_decay=5e-4),
    paramwise_cfg=dict(custom_keys={'head': dict(lr_mult=2)}),
)
