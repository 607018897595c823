_base_ = 'cam_resnet50.py'
adl = dict(type='wsl_plugins.ADL', drop_rate=0.75, threshold=0.9)
model = dict(
    inserts=[
        dict(after='backbone.layer3.0', layer=adl),
        dict(after='backbone.layer4.0', layer=adl),
        dict(after='backbone.layer4.2', layer=adl),
    ]
)
