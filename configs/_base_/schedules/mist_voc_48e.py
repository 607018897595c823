# OICR's epochs at 8 images per step (8 GPUs with one image each), the rate four times as high
_base_ = './voc_28e.py'

optim_wrapper = dict(optimizer=dict(lr=4e-3))
auto_scale_lr = dict(base_batch_size=8)
