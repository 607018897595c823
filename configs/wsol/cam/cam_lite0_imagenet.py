_base_ = [
    '../../_base_/models/cam_lite0.py',
    '../../_base_/datasets/wsol_imagenet.py',
    '../../_base_/schedules/wsol_10e.py',
    '../../_base_/wsol_runtime.py',
]
data_preprocessor = dict(mean=[127.0] * 3, std=[128.0] * 3)
# the classifier of ImageNet stays
pretrained = dict(type='Pretrained', checkpoint='efficientnet-lite0')
model = dict(head=dict(num_classes=1000, init_cfg=pretrained))
