# The published code of MIST, value by value (README)
_base_ = [
    '../_base_/models/mist_vgg16_released.py',
    '../_base_/datasets/voc07_wsod_released.py',
    '../_base_/schedules/mist_voc_30k_released.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=1, sampler=dict(type='InfiniteSampler'))
default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=2_500), logger=dict(log_metric_by_epoch=False)
)
log_processor = dict(by_epoch=False)
