# without entropy (table 2)
_base_ = [
    '../_base_/models/bcd_faster-rcnn_r50.py',
    '../_base_/datasets/wend_imagenet.py',
    '../_base_/schedules/wend_sgd_10e.py',
    '../_base_/wend_runtime.py',
]
