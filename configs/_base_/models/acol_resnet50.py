_base_ = 'cam_resnet50.py'
model = dict(head=dict(type='wsl_plugins.ACoLHead', erase_threshold=0.7))
