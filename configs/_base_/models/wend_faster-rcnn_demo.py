# a narrow ResNet-18 from scratch for generated images of 96 to 128 pixels with several objects:
# anchors of 24 and 48 pixels
_base_ = 'wend_faster-rcnn_r18.py'

model = dict(
    backbone=dict(
        base_channels=16,
        stem_channels=16,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(1, 2),
        frozen_stages=-1,
        norm_eval=False,
        init_cfg=None,
    ),
    neck=dict(in_channels=[32, 64], out_channels=32, num_outs=2),
    rpn_head=dict(
        in_channels=32,
        feat_channels=32,
        anchor_generator=dict(scales=[3], strides=[8, 16]),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(
            out_channels=32, featmap_strides=[8, 16], roi_layer=dict(output_size=5), finest_scale=36
        ),
        bbox_head=dict(in_channels=32, fc_out_channels=128, roi_feat_size=5),
    ),
)
