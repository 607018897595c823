# The solver of VOC for 12 epochs of COCO
_base_ = './mist_voc_48e.py'

train_cfg = dict(max_epochs=12, val_interval=2)
param_scheduler = [
    dict(type='LinearLR', start_factor=1 / 3, by_epoch=False, begin=0, end=201),
    dict(type='MultiStepLR', by_epoch=True, milestones=[8, 11], gamma=0.1),
]
