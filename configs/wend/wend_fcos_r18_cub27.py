# 27 classes of CUB, 675 training images, from PQF weights of ImageNet
_base_ = [
    '../_base_/models/wend_fcos_r18.py',
    '../_base_/datasets/wend_cub27.py',
    '../_base_/schedules/wend_sgd_12e.py',
    '../_base_/wend_runtime.py',
]
model = dict(backbone=dict(init_cfg=dict(checkpoint='data/weights/resnet18_pqf.pth')))
