# conv4 and conv5 learn as fast as what is new, as published
_base_ = 'cam_vgg16.py'
model = dict(
    backbone=dict(out_indices=(3, 4)),
    neck=dict(out_channels=512, num_convs=2, keep_input=True),
    head=dict(
        type='wsl_plugins.SPGHead',
        in_channels=512,
        branch_channels=(512, 512),
        thresholds_b1=(0.05, 0.5),
        thresholds_b2=(0.01, 0.7),
        thresholds_c=(0.1, 0.7),
    ),
)
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={f'backbone.features.{n}.': dict(lr_mult=10) for n in (17, 19, 21, 24, 26, 28)}
    )
)
