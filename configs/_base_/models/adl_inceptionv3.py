_base_ = 'cam_inceptionv3.py'
adl = dict(type='wsl_plugins.ADL', drop_rate=0.75, threshold=0.9)
model = dict(
    inserts=[
        dict(after='backbone.Mixed_6a', layer=adl),
        dict(after='backbone.Mixed_6e', layer=adl),
    ]
)
