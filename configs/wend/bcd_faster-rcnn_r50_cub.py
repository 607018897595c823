# without entropy (table 2)
_base_ = [
    '../_base_/models/bcd_faster-rcnn_r50.py',
    '../_base_/datasets/wend_cub.py',
    '../_base_/schedules/wend_sgd_50e.py',
    '../_base_/wend_runtime.py',
]
