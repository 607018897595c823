# DINOv2 ViT-S/14, frozen (stride 14), two small fully connected layers per proposal, WSDDN head.
# Weights: a file of timm, converted with --from timm --for-init (docs/weights.md)
_base_ = './wsddn_vgg16.py'

model = dict(
    data_preprocessor=dict(pad_size_divisor=14),
    backbone=dict(
        _delete_=True,
        type='wsl_plugins.TimmBackbone',
        model_name='vit_small_patch14_dinov2',
        out_indices=(11,),
        frozen_stages=11,
        dynamic_img_size=True,
        init_cfg=dict(type='Pretrained', checkpoint='data/weights/timm_dinov2-s14.pth'),
    ),
    roi_head=dict(
        in_channels=1024,
        bbox_roi_extractor=dict(
            roi_layer=dict(_delete_=True, type='RoIAlign', output_size=7, sampling_ratio=2),
            out_channels=384,
            featmap_strides=[14],
        ),
        shared_head=dict(
            _delete_=True,
            type='wsl_plugins.FCSharedHead',
            in_channels=384,
            fc_channels=(1024, 1024),
        ),
    ),
)
