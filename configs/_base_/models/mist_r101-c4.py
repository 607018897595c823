_base_ = './mist_r50-c4.py'

pretrained = dict(type='Pretrained', checkpoint='torchvision://resnet101')
model = dict(
    backbone=dict(depth=101, init_cfg=pretrained),
    roi_head=dict(shared_head=dict(depth=101, init_cfg=pretrained)),
)
