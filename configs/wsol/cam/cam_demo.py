_base_ = [
    '../../_base_/models/cam_resnet18_demo.py',
    '../../_base_/datasets/wsol_demo.py',
    '../../_base_/schedules/wsol_10e.py',
    '../../_base_/wsol_runtime.py',
]
model = dict(head=dict(num_classes=5))
param_scheduler = dict(milestones=[6, 9])
