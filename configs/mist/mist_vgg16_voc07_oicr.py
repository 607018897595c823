# Table 5, "Baseline": OICR under the settings of MIST
_base_ = './mist_vgg16_voc07.py'

model = dict(
    roi_head=dict(
        drop_layer=None,
        refine_head=dict(with_reg=False),
        sampler=dict(_delete_=True, type='wsl_plugins.OICRSampler'),
    )
)
