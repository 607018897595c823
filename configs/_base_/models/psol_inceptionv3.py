# the auxiliary branch regresses the box as well, with 0.3 of the loss
_base_ = 'psol_resnet50.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='wsl_plugins.AuxInceptionV3',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://inception_v3'),
    ),
    neck=None,
    head=dict(
        _delete_=True,
        type='wsl_plugins.AuxiliaryHead',
        head=dict(type='wsl_plugins.BoxRegressionHead', in_channels=2048),
        aux_head=dict(type='wsl_plugins.BoxRegressionHead', in_channels=768),
        aux_weight=0.3,
    ),
)
