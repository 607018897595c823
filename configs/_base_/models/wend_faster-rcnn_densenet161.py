# strides 8, 16 and 32: mmpretrain gives the maps after the transitions
_base_ = 'wend_faster-rcnn_r50.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.DenseNet',
        arch='161',
        out_indices=(0, 1, 3),
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://mmassets.onedl.ai/mmclassification/v0/densenet/'
            'densenet161_4xb256_in1k_20220426-ee6a80a9.pth',
            prefix='backbone',
        ),
    ),
    neck=dict(in_channels=[192, 384, 2208]),
)
