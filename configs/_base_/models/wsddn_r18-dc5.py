_base_ = './wsddn_r50-dc5.py'

model = dict(
    backbone=dict(depth=18, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet18')),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=512),
        shared_head=dict(in_channels=512),
    ),
)
