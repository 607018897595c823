# generated images, minutes on one core
_base_ = [
    '../_base_/models/wend_faster-rcnn_demo.py',
    '../_base_/datasets/wend_demo.py',
    '../_base_/schedules/wend_demo.py',
    '../_base_/wend_runtime.py',
]
