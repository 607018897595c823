_base_ = 'cam_resnet50.py'
model = dict(
    backbone=dict(out_indices=(1, 2, 3)),
    head=dict(
        type='wsl_plugins.SPGHead',
        branch_channels=(512, 1024),
        thresholds_b1=(0.05, 0.5),
        thresholds_b2=(0.01, 0.7),
        thresholds_c=(0.1, 0.7),
    ),
)
