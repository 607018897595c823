_base_ = 'cam_inceptionv3.py'
model = dict(
    backbone=dict(out_indices=(0, 1)),
    neck=dict(keep_input=True),
    head=dict(
        type='wsl_plugins.SPGHead',
        branch_channels=(288, 768),
        thresholds_b1=(0.05, 0.5),
        thresholds_b2=(0.01, 0.7),
        thresholds_c=(0.1, 0.7),
    ),
)
