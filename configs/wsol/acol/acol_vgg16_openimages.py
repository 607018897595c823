_base_ = [
    '../../_base_/models/acol_vgg16.py',
    '../../_base_/datasets/wsol_openimages.py',
    '../../_base_/schedules/wsol_10e.py',
    '../../_base_/wsol_runtime.py',
]
model = dict(head=dict(num_classes=100))
default_hooks = dict(checkpoint=dict(save_best='wsol/PxAP'))
