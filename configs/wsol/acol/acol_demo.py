_base_ = '../cam/cam_demo.py'
model = dict(head=dict(type='wsl_plugins.ACoLHead', erase_threshold=0.7, mid_channels=128))
optim_wrapper = dict(clip_grad=dict(max_norm=1.0))  # from scratch it diverges without
