_base_ = [
    '../_base_/models/wsddn_r101-c4.py',
    '../_base_/datasets/coco17_wsod.py',
    '../_base_/schedules/coco_12e.py',
    '../_base_/sequential_batch_runtime.py',
]

model = dict(roi_head=dict(num_classes=80))
