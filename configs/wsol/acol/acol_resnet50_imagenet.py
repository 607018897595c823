_base_ = '../cam/cam_resnet50_imagenet.py'
model = dict(head=dict(type='wsl_plugins.ACoLHead', erase_threshold=0.7))
