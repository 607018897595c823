# the weights are torchvision's under mmpretrain's names
_base_ = 'psol_resnet50.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.DenseNet',
        arch='161',
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://mmassets.onedl.ai/mmclassification/v0/densenet/'
            'densenet161_4xb256_in1k_20220426-ee6a80a9.pth',
            prefix='backbone',
        ),
    ),
    head=dict(in_channels=2208),
)
