# a narrow ResNet-18 from scratch for generated images of 96 to 128 pixels with several objects:
# points every 16 pixels
_base_ = 'wend_fcos_r18.py'

model = dict(
    backbone=dict(
        base_channels=16,
        stem_channels=16,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(2,),
        frozen_stages=-1,
        norm_eval=False,
        init_cfg=None,
    ),
    bbox_head=dict(in_channels=64, feat_channels=64, strides=[16]),
)
