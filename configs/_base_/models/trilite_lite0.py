# EfficientNet-Lite0 with its 320 channels and its stride of 32, which learns nothing: 14 x 14 cells
# of an image of 448. The same number of cells of an image of 224, dilated as in cam_lite0.py, find
# less (configs/wsol/README.md)
_base_ = 'cam_lite0.py'
model = dict(
    backbone=dict(output_stride=32, out_indices=(4,), frozen_stages=4),
    head=dict(_delete_=True, type='wsl_plugins.TriLiteHead', in_channels=320, normalize=True),
)
# the regions learn slowly: sharp ones shrink to the parts that tell classes apart
optim_wrapper = dict(
    _delete_=True,
    optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.01),
    paramwise_cfg=dict(
        custom_keys={'head.conv': dict(lr_mult=0.03), 'head.bn': dict(lr_mult=0.03)}
    ),
)
