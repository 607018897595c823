# VGG-GAP: global average pooling in place of VGG16's fully connected layers
_base_ = 'psol_resnet50.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='wsl_plugins.PooledVGG',
        depth=16,
        fc_channels=None,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://vgg16'),
    ),
    head=dict(in_channels=512),
)
