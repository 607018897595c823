# Weights: a file of timm, converted with --from timm --for-init (docs/weights.md)
_base_ = [
    '../../_base_/models/cam_lite0.py',
    '../../_base_/datasets/wsol_cub.py',
    '../../_base_/schedules/wsol_50e.py',
    '../../_base_/wsol_runtime.py',
]
model = dict(
    backbone=dict(
        model_name='resnet50',
        init_cfg=dict(checkpoint='data/weights/timm_resnet50.pth'),
    ),
    head=dict(in_channels=2048, num_classes=200),
)
