# 27 classes of CUB, 675 training images, from PQF weights of ImageNet
_base_ = [
    '../_base_/models/psol_resnet18.py',
    '../_base_/datasets/psol_cub27.py',
    '../_base_/schedules/psol_30e.py',
    '../_base_/psol_runtime.py',
]
model = dict(backbone=dict(init_cfg=dict(checkpoint='data/weights/resnet18_pqf.pth')))
# a few hundred steps more at a tenth of the rate; the paper's rate is constant
optim_wrapper = dict(optimizer=dict(lr=0.003))
param_scheduler = dict(type='MultiStepLR', by_epoch=True, milestones=[50], gamma=0.1)
train_cfg = dict(max_epochs=56)
