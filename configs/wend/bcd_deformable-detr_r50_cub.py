# without entropy (table 2)
_base_ = [
    '../_base_/models/bcd_deformable-detr_r50.py',
    '../_base_/datasets/wend_cub.py',
    '../_base_/schedules/wend_adam_50e.py',
    '../_base_/wend_runtime.py',
]
