# 27 classes of CUB, 675 training images, from PQF weights of ImageNet
_base_ = [
    '../_base_/models/psol_resnet18_flat.py',
    '../_base_/datasets/psol_cub27.py',
    '../_base_/schedules/psol_30e.py',
    '../_base_/psol_runtime.py',
]
model = dict(backbone=dict(init_cfg=dict(checkpoint='data/weights/resnet18_pqf.pth')))
train_cfg = dict(max_epochs=16)
param_scheduler = dict(
    type='CosineAnnealingLR', by_epoch=True, T_max=16, convert_to_iter_based=True
)
custom_hooks = [
    dict(
        type='SwitchRecipeHook',
        schedule=[dict(action_epoch=11, train_pipeline=_base_.mild_pipeline)],
    )
]
