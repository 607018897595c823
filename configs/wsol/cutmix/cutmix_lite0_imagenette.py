_base_ = '../cam/cam_lite0_imagenette.py'
model = dict(
    train_cfg=dict(augments=dict(type='mmpretrain.CutMix', alpha=1.0), probs=1.0),
    head=dict(loss=dict(type='mmpretrain.CrossEntropyLoss', use_soft=True)),
)
