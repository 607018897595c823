# ResNet-50: conv1..conv4 on the image (stride 16), conv5 on each proposal, global average, WSDDN
# head
_base_ = './wsddn_vgg16.py'

pretrained = dict(type='Pretrained', checkpoint='torchvision://resnet50')
model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=50,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(2,),
        frozen_stages=2,
        norm_cfg=dict(type='BN', requires_grad=False),
        norm_eval=True,
        style='pytorch',
        init_cfg=pretrained,
    ),
    roi_head=dict(
        in_channels=2048,
        bbox_roi_extractor=dict(
            roi_layer=dict(_delete_=True, type='RoIAlign', output_size=14, sampling_ratio=2),
            out_channels=1024,
            featmap_strides=[16],
        ),
        shared_head=dict(
            _delete_=True,
            type='ResLayer',
            depth=50,
            stage=3,
            stride=2,
            norm_cfg=dict(type='BN', requires_grad=False),
            norm_eval=True,
            style='pytorch',
            init_cfg=pretrained,
        ),
    ),
)
