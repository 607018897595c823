# 27 classes of CUB, 675 training images, 10 epochs
_base_ = [
    '../../_base_/models/cam_lite0.py',
    '../../_base_/datasets/wsol_cub27.py',
    '../../_base_/schedules/wsol_10e.py',
    '../../_base_/wsol_runtime.py',
]
data_preprocessor = dict(mean=[127.0] * 3, std=[128.0] * 3)
model = dict(head=dict(num_classes=27))
train_cfg = dict(val_interval=2)
param_scheduler = dict(milestones=[5, 8])
