# Ten classes of ImageNet, 1,000 training images; boxes of DDT, class by class, on the layer behind
# that of the cells (README.md)
_base_ = [
    '../_base_/models/psol_lite0_flat.py',
    '../_base_/datasets/psol_imagenette.py',
    '../_base_/schedules/psol_30e.py',
    '../_base_/psol_runtime.py',
]
data_preprocessor = dict(mean=[127.0] * 3, std=[128.0] * 3)
train_dataloader = dict(dataset=dict(box_file='pseudo_boxes/imagenette_ddt-lite0.json'))
val_cfg = None
default_hooks = dict(checkpoint=dict(save_best=None))
train_cfg = dict(max_epochs=12)
param_scheduler = dict(
    type='CosineAnnealingLR', by_epoch=True, T_max=12, convert_to_iter_based=True
)
custom_hooks = [
    dict(
        type='SwitchRecipeHook',
        schedule=[dict(action_epoch=8, train_pipeline=_base_.mild_pipeline)],
    )
]
