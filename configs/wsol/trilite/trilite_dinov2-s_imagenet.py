_base_ = [
    '../../_base_/models/trilite_dinov2-s.py',
    '../../_base_/datasets/wsol_imagenet.py',
    '../../_base_/schedules/wsol_10e.py',
    '../../_base_/wsol_runtime.py',
]
model = dict(head=dict(num_classes=1000))
