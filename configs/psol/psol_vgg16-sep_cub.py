_base_ = [
    '../_base_/models/psol_vgg16.py',
    '../_base_/datasets/psol_cub.py',
    '../_base_/schedules/psol_30e.py',
    '../_base_/psol_runtime.py',
]
