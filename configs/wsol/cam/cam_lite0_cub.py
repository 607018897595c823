_base_ = [
    '../../_base_/models/cam_lite0.py',
    '../../_base_/datasets/wsol_cub.py',
    '../../_base_/schedules/wsol_50e.py',
    '../../_base_/wsol_runtime.py',
]
data_preprocessor = dict(mean=[127.0] * 3, std=[128.0] * 3)
model = dict(head=dict(num_classes=200))
