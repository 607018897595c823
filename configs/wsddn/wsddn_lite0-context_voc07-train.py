# A frozen network for cached maps (docs/cached_features.md): two linear layers learn
_base_ = [
    '../_base_/models/wsddn_lite0-context.py',
    '../_base_/datasets/voc07-train_wsod.py',
    '../_base_/schedules/voc_28e.py',
    '../_base_/default_runtime.py',
]

train_cfg = dict(max_epochs=8, val_interval=8)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(type='MultiStepLR', by_epoch=True, milestones=[6], gamma=0.1),
]
optim_wrapper = dict(
    optimizer=dict(lr=0.005),  # one image per step
    paramwise_cfg=dict(custom_keys={'refine_heads': dict(lr_mult=10.0)}),
)
