_base_ = 'psol_resnet50.py'
model = dict(
    backbone=dict(depth=18, init_cfg=dict(checkpoint='torchvision://resnet18')),
    head=dict(in_channels=512),
)
