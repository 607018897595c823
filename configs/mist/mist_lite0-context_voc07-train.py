# without box regression: means do not say on which side an object goes on
_base_ = './mist_lite0-context_voc07-train_no-drop.py'

model = dict(
    roi_head=dict(
        bbox_roi_extractor=dict(output_size=7),
        drop_layer=dict(
            type='wsl_plugins.ConcreteDropBlock',
            in_channels=2560,
            mid_channels=32,
            cap='scale',
            reverse_weight=0.01,
        ),
    )
)
