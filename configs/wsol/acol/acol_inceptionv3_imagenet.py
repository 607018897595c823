_base_ = '../cam/cam_inceptionv3_imagenet.py'
model = dict(
    neck=None,
    head=dict(type='wsl_plugins.ACoLHead', in_channels=768, erase_threshold=0.7),
)
