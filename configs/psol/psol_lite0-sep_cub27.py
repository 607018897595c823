# 27 classes of CUB, 675 training images; boxes of DDT on the same network
_base_ = [
    '../_base_/models/psol_lite0_flat.py',
    '../_base_/datasets/psol_cub27.py',
    '../_base_/schedules/psol_30e.py',
    '../_base_/psol_runtime.py',
]
data_preprocessor = dict(mean=[127.0] * 3, std=[128.0] * 3)
train_dataloader = dict(dataset=dict(box_file='pseudo_boxes/CUB27_ddt-lite0.json'))
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
