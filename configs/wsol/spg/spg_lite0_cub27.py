# B1, B2 and C on the stages of stride 8, 16 and 32. Maps of several strides cannot be centred
# (TimmBackbone): those of the last lie 15.5 pixels below and to the right
_base_ = '../cam/cam_lite0_cub27.py'
model = dict(
    backbone=dict(out_indices=(2, 3, 4), centred=False),
    head=dict(
        type='wsl_plugins.SPGHead',
        in_channels=320,
        branch_channels=(40, 112),
        mid_channels=128,
        mid_channels_c=256,
        thresholds_b1=(0.05, 0.5),
        thresholds_b2=(0.01, 0.7),
        thresholds_c=(0.1, 0.7),
    ),
)
# at the classifier's rate the branches became sure in their first steps, from which one of three
# seeds did not recover
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={'head': dict(lr_mult=1), 'head.classifier': dict(lr_mult=10)},
    )
)
