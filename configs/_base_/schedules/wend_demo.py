# for the narrow networks from scratch and generated images
_base_ = './wend_sgd_50e.py'

optim_wrapper = dict(
    optimizer=dict(lr=0.02), paramwise_cfg=dict(_delete_=True), clip_grad=dict(max_norm=10)
)
param_scheduler = dict(T_max=30)
train_cfg = dict(max_epochs=30, val_interval=5)
auto_scale_lr = dict(base_batch_size=32)
