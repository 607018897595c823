# From scratch on 200 small images, about two minutes on two cores
_base_ = './voc_28e.py'

train_cfg = dict(max_epochs=20, val_interval=1)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(type='MultiStepLR', by_epoch=True, milestones=[15], gamma=0.1),
]
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-3, weight_decay=1e-2),
    paramwise_cfg=None,
)
auto_scale_lr = dict(base_batch_size=4)
