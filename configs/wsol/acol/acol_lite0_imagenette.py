# narrow branches: of 1,024 channels they would cost many times what the network does
_base_ = '../cam/cam_lite0_imagenette.py'
model = dict(head=dict(type='wsl_plugins.ACoLHead', erase_threshold=0.7, mid_channels=256))
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=1))))
