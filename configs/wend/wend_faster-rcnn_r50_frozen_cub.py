# the backbone stays as pretrained (table 6)
_base_ = 'wend_faster-rcnn_r50_cub.py'

model = dict(backbone=dict(frozen_stages=4))
