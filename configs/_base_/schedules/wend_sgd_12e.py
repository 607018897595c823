# for hundreds of real images
_base_ = './wend_sgd_50e.py'

param_scheduler = dict(T_max=12)
train_cfg = dict(max_epochs=12)
auto_scale_lr = dict(base_batch_size=16)
