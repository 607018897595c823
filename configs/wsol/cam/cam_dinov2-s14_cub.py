# 16 x 16 cells of an image of 224
_base_ = [
    '../../_base_/models/cam_timm-vit-s.py',
    '../../_base_/datasets/wsol_cub.py',
    '../../_base_/schedules/wsol_50e_adamw.py',
    '../../_base_/wsol_runtime.py',
]
model = dict(
    backbone=dict(
        model_name='vit_small_patch14_dinov2',
        init_cfg=dict(checkpoint='data/weights/timm_dinov2-s14.pth'),
    ),
    head=dict(num_classes=200),
)
