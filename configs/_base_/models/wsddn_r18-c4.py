_base_ = './wsddn_r50-c4.py'

pretrained = dict(type='Pretrained', checkpoint='torchvision://resnet18')
model = dict(
    backbone=dict(depth=18, init_cfg=pretrained),
    roi_head=dict(
        in_channels=512,
        bbox_roi_extractor=dict(out_channels=256),
        shared_head=dict(depth=18, init_cfg=pretrained),
    ),
)
