_base_ = 'cam_vgg16.py'
model = dict(
    neck=None,
    head=dict(type='wsl_plugins.ACoLHead', in_channels=512, erase_threshold=0.7),
)
