# Stage 2 on the generated images: detection and segmentation side by side, with the classifier of
# stage 1
_base_ = './sdcn_demo_no-collab.py'

checkpoint = 'work_dirs/sdcn_demo_stage1_classifier/epoch_60.pth'
model = dict(
    classifier=dict(classifier=dict(init_cfg=dict(type='Pretrained', checkpoint=checkpoint)))
)
load_from = None
train_cfg = dict(max_epochs=12, dynamic_intervals=[(1, 6)])
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=11, begin=1, end=12, convert_to_iter_based=True),
]
