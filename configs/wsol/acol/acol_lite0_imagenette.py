# narrow branches: of 1,024 channels they would cost many times what the network does. fan_in keeps
# what they give as large as what they see
_base_ = '../cam/cam_lite0_imagenette.py'
model = dict(
    head=dict(
        type='wsl_plugins.ACoLHead',
        erase_threshold=0.7,
        mid_channels=256,
        init_cfg=dict(type='Kaiming', layer='Conv2d', mode='fan_in'),
    )
)
# at 0.01 two of three seeds on the birds lost what they had learned
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=3))))
