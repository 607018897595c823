# From scratch on 200 small images. One epoch of warm-up, then a cosine down to zero.
_base_ = './voc_28e.py'

# tested after epoch 1 (tools/demo.py prints it), then after epochs 6 and 12
train_cfg = dict(max_epochs=12, val_interval=1, dynamic_intervals=[(3, 6)])
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=11, begin=1, end=12, convert_to_iter_based=True),
]
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(_delete_=True, type='AdamW', lr=2e-3, weight_decay=1e-2),
    paramwise_cfg=None,
)
randomness = dict(seed=0)
