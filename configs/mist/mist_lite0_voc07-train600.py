_base_ = '../oicr/oicr_lite0_voc07-train600.py'

# without box regression: averaged over space, the vectors of this recipe know no offsets (README)
model = dict(
    roi_head=dict(
        drop_layer=dict(
            type='wsl_plugins.ConcreteDropBlock',
            in_channels=112,
            cap='scale',
            reverse_weight=0.01,
        ),
        sampler=dict(type='wsl_plugins.MISTSampler'),
    )
)
