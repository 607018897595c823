_base_ = '../cam/cam_demo.py'
model = dict(
    backbone=dict(out_indices=(1, 2, 3)),
    head=dict(
        type='wsl_plugins.SPGHead',
        branch_channels=(32, 64),
        thresholds_b1=(0.05, 0.5),
        thresholds_b2=(0.01, 0.7),
        thresholds_c=(0.1, 0.7),
        mid_channels=64,
        mask_size=96,
    ),
)
optim_wrapper = dict(clip_grad=dict(max_norm=1.0))  # from scratch it diverges without
