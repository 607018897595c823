# C5 stays as it is too: all before the heads can be cached (docs/cached_features.md)
_base_ = './oicr_r18_voc07-train600.py'

pretrained = dict(type='Pretrained', checkpoint='data/weights/resnet18_pqf.pth')
model = dict(
    roi_head=dict(
        shared_head=[
            dict(
                type='wsl_plugins.FrozenResLayer',
                depth=18,
                norm_cfg=dict(type='BN', requires_grad=False),
                init_cfg=pretrained,
            ),
            dict(type='wsl_plugins.NormalizedAvgPool', scale=5.0, dropout=0.5),
        ]
    )
)
