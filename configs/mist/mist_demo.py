_base_ = '../oicr/oicr_demo.py'

# one box per proposal and not one per class: 200 images are few, and the bodies look alike
model = dict(
    roi_head=dict(
        drop_layer=dict(type='wsl_plugins.ConcreteDropBlock', in_channels=64, cap='scale'),
        refine_head=dict(with_reg=True, reg_class_agnostic=True),
        sampler=dict(type='wsl_plugins.MISTSampler'),
    )
)
# at the rate of the detector every probability is near its cap after two epochs
optim_wrapper = dict(
    paramwise_cfg=dict(_delete_=True, custom_keys={'drop_layer': dict(lr_mult=0.01)})
)
