_base_ = 'cam_inceptionv3.py'
model = dict(
    neck=None,
    head=dict(type='wsl_plugins.ACoLHead', in_channels=768, erase_threshold=0.7),
)
