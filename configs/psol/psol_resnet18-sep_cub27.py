# 27 classes of CUB, 675 training images, from PQF weights of ImageNet
_base_ = [
    '../_base_/models/psol_resnet18.py',
    '../_base_/datasets/psol_cub27.py',
    '../_base_/schedules/psol_30e.py',
    '../_base_/psol_runtime.py',
]
model = dict(backbone=dict(init_cfg=dict(checkpoint='data/weights/resnet18_pqf.pth')))
