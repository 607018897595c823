# Table 5, "+ PCL"
_base_ = './mist_vgg16_voc07.py'

model = dict(
    roi_head=dict(
        drop_layer=None,
        refine_head=dict(type='wsl_plugins.PCLHead', with_reg=False),
        sampler=dict(_delete_=True, type='wsl_plugins.PCLSampler'),
    )
)
