# for small machines
_base_ = 'wend_fcos_r50.py'

model = dict(
    backbone=dict(depth=18, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet18')),
    bbox_head=dict(in_channels=512, feat_channels=512),
)
