# COCO 2014, as in table 2 of the paper
_base_ = [
    '../_base_/models/mist_r50-c4.py',
    '../_base_/datasets/coco14_wsod.py',
    '../_base_/schedules/mist_coco_12e.py',
    '../_base_/sequential_batch_runtime.py',
]

model = dict(roi_head=dict(num_classes=80))
train_dataloader = dict(batch_size=1)
