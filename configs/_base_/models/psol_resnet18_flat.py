# ResNet-18 whose 7 x 7 cells reach the regression through a fully connected layer, as those of
# VGG16 do, and not as their average: where things are need not be learned into the channels
_base_ = 'psol_resnet18.py'
model = dict(
    neck=dict(
        _delete_=True,
        type='mmpretrain.LinearNeck',
        in_channels=512 * 7 * 7,
        out_channels=512,
        gap_dim=0,
        norm_cfg=None,
        act_cfg=dict(type='ReLU'),
    ),
)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-4, weight_decay=0.01),
)
