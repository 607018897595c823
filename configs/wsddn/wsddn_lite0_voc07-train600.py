# The CPU-sized recipe of wsddn_r18_voc07-train600.py with EfficientNet-Lite0, whose weights come
# with a package: stages 6 and 7 learn, on 128 random proposals per image
_base_ = './wsddn_r18_voc07-train600.py'

pretrained = dict(type='Pretrained', checkpoint='efficientnet-lite0')
model = dict(
    data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3),
    backbone=dict(
        _delete_=True,
        type='wsl_plugins.TimmBackbone',
        model_name='tf_efficientnet_lite0',
        out_indices=(3,),
        frozen_stages=3,
        init_cfg=pretrained,
    ),
    roi_head=dict(
        in_channels=1280,
        bbox_roi_extractor=dict(out_channels=112),
        shared_head=[
            dict(
                type='wsl_plugins.TimmSharedHead',
                model_name='tf_efficientnet_lite0',
                frozen_norm=True,
                init_cfg=pretrained,
            ),
            dict(type='wsl_plugins.NormalizedAvgPool', scale=5.0, dropout=0.5),
        ],
    ),
)
