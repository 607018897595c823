# Ten classes of ImageNet, 1,000 training images, 10 epochs; there is no train-fullsup to choose by
_base_ = [
    '../../_base_/models/cam_lite0.py',
    '../../_base_/datasets/wsol_imagenette.py',
    '../../_base_/schedules/wsol_10e.py',
    '../../_base_/wsol_runtime.py',
]
data_preprocessor = dict(mean=[127.0] * 3, std=[128.0] * 3)
model = dict(head=dict(num_classes=10))
val_cfg = None
param_scheduler = dict(milestones=[5, 8])
default_hooks = dict(checkpoint=dict(save_best=None))
