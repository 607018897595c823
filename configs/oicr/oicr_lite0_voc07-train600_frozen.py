# The whole network stays as it is: all before the heads can be cached (docs/cached_features.md)
_base_ = './oicr_lite0_voc07-train600.py'

model = dict(
    roi_head=dict(
        shared_head=[
            dict(
                type='wsl_plugins.TimmSharedHead',
                model_name='tf_efficientnet_lite0',
                frozen=True,
                init_cfg=dict(type='Pretrained', checkpoint='efficientnet-lite0'),
            ),
            dict(type='wsl_plugins.NormalizedAvgPool', scale=5.0, dropout=0.5),
        ]
    )
)
