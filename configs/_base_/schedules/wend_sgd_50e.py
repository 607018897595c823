# 50 epochs, cosine (WEND, appendix A: CUB); neck and heads learn twice as fast as the backbone
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.004, momentum=0.9, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys={'neck': dict(lr_mult=2), 'head': dict(lr_mult=2)}),
)
param_scheduler = dict(
    type='CosineAnnealingLR', T_max=50, by_epoch=True, convert_to_iter_based=True
)
train_cfg = dict(by_epoch=True, max_epochs=50, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=256)
