_base_ = '../cam/cam_lite0_cub27.py'
adl = dict(type='wsl_plugins.ADL', drop_rate=0.75, threshold=0.9)
model = dict(
    inserts=[
        dict(after='backbone.timm_model.blocks.4', layer=adl),
        dict(after='backbone.timm_model.blocks.5', layer=adl),
        dict(after='backbone.timm_model.blocks.6', layer=adl),
    ]
)
