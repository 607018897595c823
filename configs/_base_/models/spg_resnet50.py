# as published: B1 behind the first block of layer3, B2 behind the last; the head learns at the rate
# of the backbone, layer4 ten times faster
_base_ = 'cam_resnet50.py'
model = dict(
    backbone=dict(split_layer3=True, out_indices=(2, 3)),
    head=dict(
        type='wsl_plugins.SPGHead',
        branch_channels=(1024, 1024),
        mid_channels=1024,
        thresholds_b1=(0.05, 0.5),
        thresholds_b2=(0.01, 0.7),
        thresholds_c=(0.1, 0.7),
    ),
)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=1))))
