_base_ = '../cam/cam_vgg16_openimages.py'
adl = dict(type='wsl_plugins.ADL', drop_rate=0.75, threshold=0.9)
model = dict(
    inserts=[
        dict(after='backbone.features.16', layer=adl),
        dict(after='backbone.features.22', layer=adl),
        dict(after='backbone.features.29', layer=adl),
    ]
)
