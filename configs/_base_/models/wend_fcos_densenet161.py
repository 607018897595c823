# the last feature map of DenseNet-161
_base_ = 'wend_fcos_r50.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.DenseNet',
        arch='161',
        out_indices=(3,),
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://mmassets.onedl.ai/mmclassification/v0/densenet/'
            'densenet161_4xb256_in1k_20220426-ee6a80a9.pth',
            prefix='backbone',
        ),
    ),
    bbox_head=dict(in_channels=2208, feat_channels=2208),
)
