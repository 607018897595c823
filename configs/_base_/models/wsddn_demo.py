# A small network for the generated data set, trained from scratch. The part that tells the class is
# 12 to 40 pixels wide: stride 4 leaves enough cells on it to learn its pattern in a few epochs.
_base_ = './wsddn_vgg16.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=18,
        num_stages=1,
        strides=(1,),
        dilations=(1,),
        out_indices=(0,),
        norm_eval=False,
        zero_init_residual=False,  # few steps: all layers learn from the first one on
    ),
    roi_head=dict(
        in_channels=256,
        num_classes=5,
        bbox_roi_extractor=dict(
            # the maximum keeps a part visible that an average over the box would drown
            roi_layer=dict(output_size=5),
            out_channels=64,
            featmap_strides=[4],
        ),
        shared_head=dict(
            _delete_=True,
            type='wsl_plugins.FCSharedHead',
            in_channels=64,
            roi_feat_size=5,
            fc_channels=(256,),
            dropout=0.0,
        ),
    ),
)
