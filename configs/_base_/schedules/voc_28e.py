# OICR's schedule: 70k steps of 2 images on VOC07 trainval (5,011 images) are 28 epochs; the rate
# falls at 40k steps
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=28, val_interval=4)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=500),
    dict(type='MultiStepLR', by_epoch=True, milestones=[16], gamma=0.1),
]
# biases at twice the rate and without decay, as in Fast R-CNN
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=1e-3, momentum=0.9, weight_decay=5e-4),
    paramwise_cfg=dict(bias_lr_mult=2.0, bias_decay_mult=0.0),
)
auto_scale_lr = dict(enable=False, base_batch_size=2)
