# EfficientNet-Lite0 whose 7 x 7 cells, of 320 channels, reach the regression through a fully
# connected layer (see psol_resnet18_flat.py); the network stays as it is
_base_ = 'psol_resnet18_flat.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='wsl_plugins.TimmBackbone',
        model_name='tf_efficientnet_lite0',
        out_indices=(4,),
        frozen_stages=4,
        frozen_norm=True,
        init_cfg=dict(type='Pretrained', checkpoint='efficientnet-lite0'),
    ),
    neck=dict(in_channels=320 * 7 * 7),
)
