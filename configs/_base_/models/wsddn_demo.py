# A small network for the generated data set, trained from scratch: stride 8, two fully connected
# layers per proposal
_base_ = './wsddn_vgg16.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=18,
        base_channels=32,
        num_stages=2,
        strides=(1, 2),
        dilations=(1, 1),
        out_indices=(1,),
        norm_eval=False,
    ),
    roi_head=dict(
        in_channels=256,
        num_classes=5,
        bbox_roi_extractor=dict(
            roi_layer=dict(_delete_=True, type='RoIAlign', output_size=5, sampling_ratio=2),
            out_channels=64,
        ),
        shared_head=dict(
            _delete_=True,
            type='wsl_plugins.FCSharedHead',
            in_channels=64,
            roi_feat_size=5,
            fc_channels=(256, 256),
            dropout=0.5,
        ),
    ),
)
