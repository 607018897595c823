# Stage 2 of the CPU-sized recipe: detection and segmentation side by side, at a constant rate
_base_ = './sdcn_r18_voc07-train600.py'

checkpoint = 'work_dirs/sdcn_stage1_classifier_r18_voc07-train600/epoch_8.pth'
model = dict(
    seg_to_det=False,
    det_to_seg=False,
    classifier=dict(classifier=dict(init_cfg=dict(type='Pretrained', checkpoint=checkpoint))),
)
param_scheduler = [dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100)]
load_from = None
