_base_ = '../cam/cam_vgg16_openimages.py'
model = dict(
    neck=None,
    head=dict(type='wsl_plugins.ACoLHead', in_channels=512, erase_threshold=0.7),
)
