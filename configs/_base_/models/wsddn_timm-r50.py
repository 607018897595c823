# ResNet-50 of timm, conv5 on each proposal. Weights: a file of timm, converted with --from timm
# --for-init (docs/weights.md)
_base_ = './wsddn_lite0.py'

pretrained = dict(type='Pretrained', checkpoint='data/weights/timm_resnet50.pth')
model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(model_name='resnet50', init_cfg=pretrained),
    roi_head=dict(
        in_channels=2048,
        bbox_roi_extractor=dict(out_channels=1024),
        shared_head=dict(model_name='resnet50', init_cfg=pretrained),
    ),
)
