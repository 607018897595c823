# 27 classes of CUB, 675 training images, 10 epochs from PQF weights of ImageNet
_base_ = [
    '../../_base_/models/cam_resnet18.py',
    '../../_base_/datasets/wsol_cub27.py',
    '../../_base_/schedules/wsol_10e.py',
    '../../_base_/wsol_runtime.py',
]
model = dict(
    backbone=dict(init_cfg=dict(checkpoint='data/weights/resnet18_pqf.pth')),
    head=dict(num_classes=27),
)
train_cfg = dict(val_interval=2)
param_scheduler = dict(milestones=[5, 8])
