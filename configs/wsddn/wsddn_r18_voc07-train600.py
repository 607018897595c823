_base_ = [
    '../_base_/models/wsddn_r18-c4.py',
    '../_base_/datasets/voc07-train600_wsod.py',
    '../_base_/schedules/voc_28e.py',
    '../_base_/default_runtime.py',
]
weights = dict(type='Pretrained', checkpoint='data/weights/resnet18_pqf.pth')
model = dict(
    backbone=dict(init_cfg=weights),
    roi_head=dict(shared_head=dict(init_cfg=weights)),
)
