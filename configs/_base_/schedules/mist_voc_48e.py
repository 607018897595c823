# The solver of the published code, to which the paper refers. 8 images per step (8 GPUs with one
# image each): its 30,000 steps are 48 epochs of VOC 2007 trainval (5,011 images), and the rate
# falls at 20,000 and 26,700 steps, epochs 32 and 43. The drop layer learns at 1e-4.
_base_ = './voc_28e.py'

train_cfg = dict(max_epochs=48)
param_scheduler = [
    dict(type='LinearLR', start_factor=1 / 3, by_epoch=False, begin=0, end=201),  # 200 steps
    dict(type='MultiStepLR', by_epoch=True, milestones=[32, 43], gamma=0.1),
]
optim_wrapper = dict(
    optimizer=dict(lr=0.01, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys={'drop_layer': dict(lr_mult=0.01)}),
)
auto_scale_lr = dict(base_batch_size=8)
