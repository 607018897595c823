# The published code of MIST on COCO, which has no drop layer there (README)
_base_ = [
    '../_base_/models/mist_vgg16_released.py',
    '../_base_/datasets/coco14_wsod_released.py',
    '../_base_/schedules/mist_coco_12e.py',
    '../_base_/default_runtime.py',
]

model = dict(type='FastRCNN', roi_head=dict(num_classes=80, drop_layer=None))
train_dataloader = dict(batch_size=1)
