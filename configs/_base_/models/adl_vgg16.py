_base_ = 'cam_vgg16.py'
adl = dict(type='wsl_plugins.ADL', drop_rate=0.75, threshold=0.9)
model = dict(
    inserts=[
        dict(after='backbone.features.16', layer=adl),
        dict(after='backbone.features.22', layer=adl),
        dict(after='backbone.features.29', layer=adl),
    ]
)
