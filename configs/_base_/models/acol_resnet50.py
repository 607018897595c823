# as published: the head learns at the rate of the backbone, layer4 ten times faster
_base_ = 'cam_resnet50.py'
model = dict(head=dict(type='wsl_plugins.ACoLHead', erase_threshold=0.7))
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=1))))
