# VGG16 with its two layers of 4,096 channels; the box regression takes the place of the third
_base_ = 'psol_resnet50.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='wsl_plugins.PooledVGG',
        depth=16,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://vgg16'),
    ),
    neck=None,
    head=dict(in_channels=4096),
)
