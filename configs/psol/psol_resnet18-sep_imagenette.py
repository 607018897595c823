# Ten classes of ImageNet, 1,000 training images, from PQF weights of ImageNet
_base_ = [
    '../_base_/models/psol_resnet18.py',
    '../_base_/datasets/psol_imagenette.py',
    '../_base_/schedules/psol_30e.py',
    '../_base_/psol_runtime.py',
]
model = dict(backbone=dict(init_cfg=dict(checkpoint='data/weights/resnet18_pqf.pth')))
val_cfg = None
default_hooks = dict(checkpoint=dict(save_best=None))
optim_wrapper = dict(optimizer=dict(lr=0.003))
param_scheduler = dict(type='MultiStepLR', by_epoch=True, milestones=[17], gamma=0.1)
train_cfg = dict(max_epochs=20)
