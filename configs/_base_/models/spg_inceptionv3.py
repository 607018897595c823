# as published: B1 behind Mixed_5d and its pooling, B2 behind Mixed_6d
_base_ = 'cam_inceptionv3.py'
model = dict(
    backbone=dict(out_indices=(0, 2, 1)),
    head=dict(
        type='wsl_plugins.SPGHead',
        branch_channels=(288, 768),
        thresholds_b1=(0.05, 0.5),
        thresholds_b2=(0.01, 0.7),
        thresholds_c=(0.1, 0.7),
    ),
)
