# 8 images per step: 8 GPUs with one image each
_base_ = './coco_12e.py'

optim_wrapper = dict(optimizer=dict(lr=4e-3))
auto_scale_lr = dict(base_batch_size=8)
