_base_ = './wsddn_lite0.py'

model = dict(
    roi_head=dict(
        drop_layer=dict(
            type='wsl_plugins.ConcreteDropBlock',
            in_channels=112,
            cap='scale',
            reverse_weight=0.01,
        ),
        refine_head=dict(type='wsl_plugins.RefinementHead', with_reg=True),
        sampler=dict(type='wsl_plugins.MISTSampler'),
    )
)
