_base_ = [
    '../_base_/models/psol_resnet18_demo.py',
    '../_base_/datasets/psol_demo.py',
    '../_base_/schedules/psol_30e.py',
    '../_base_/psol_runtime.py',
]
