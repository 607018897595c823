_base_ = [
    '../../_base_/models/cam_resnet50.py',
    '../../_base_/datasets/wsol_imagenet.py',
    '../../_base_/schedules/wsol_10e.py',
    '../../_base_/wsol_runtime.py',
]
# the classifier of ImageNet stays, as published
pretrained = dict(type='Pretrained', checkpoint='torchvision://resnet50')
model = dict(head=dict(num_classes=1000, init_cfg=pretrained))
