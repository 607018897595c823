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
