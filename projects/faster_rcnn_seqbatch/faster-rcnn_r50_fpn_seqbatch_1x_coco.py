# mmdet's Faster R-CNN, its box branch in sub-batches of 256 of the 1024 sampled boxes (2 images)
_base_ = 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'

custom_hooks = [dict(type='wsl_plugins.SequentialBatchHook', sub_batch_size=256)]
