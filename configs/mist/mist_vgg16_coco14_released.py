_base_ = [
    '../_base_/models/mist_vgg16_released.py',
    '../_base_/datasets/coco14_wsod.py',
    '../_base_/schedules/mist_coco_12e_released.py',
    '../_base_/default_runtime.py',
]

model = dict(roi_head=dict(num_classes=80))
train_dataloader = dict(batch_size=1)
