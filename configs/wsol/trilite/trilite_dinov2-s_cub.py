_base_ = [
    '../../_base_/models/trilite_dinov2-s.py',
    '../../_base_/datasets/wsol_cub.py',
    '../../_base_/schedules/wsol_50e.py',
    '../../_base_/wsol_runtime.py',
]
model = dict(head=dict(num_classes=200))
