# MIST: box regression in the branches, several pseudo boxes per class, Concrete DropBlock
_base_ = './wsddn_vgg16.py'

model = dict(
    roi_head=dict(
        drop_layer=dict(
            type='wsl_plugins.ConcreteDropBlock',
            in_channels=512,
            cap='scale',
            reverse_weight=0.01,
        ),
        refine_head=dict(type='wsl_plugins.RefinementHead', with_reg=True),
        sampler=dict(type='wsl_plugins.MISTSampler'),
    )
)
