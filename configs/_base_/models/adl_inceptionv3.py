# as published: behind Mixed_5d (before the pooling), Mixed_6e and the second added convolution; no
# dropout
_base_ = 'cam_inceptionv3.py'
adl = dict(type='wsl_plugins.ADL', drop_rate=0.75, threshold=0.9)
model = dict(
    neck=dict(dropout=0.0),
    inserts=[
        dict(after='backbone.Mixed_5d', layer=adl),
        dict(after='backbone.Mixed_6e', layer=adl),
        dict(after='neck.layers.3', layer=adl),
    ],
)
