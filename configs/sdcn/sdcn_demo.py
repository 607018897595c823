# Stage 3 on the generated images: segmentation and detection teach each other
_base_ = [
    '../_base_/models/sdcn_demo.py',
    '../_base_/datasets/demo_wsod.py',
    '../_base_/schedules/sdcn_demo_12e.py',
    '../_base_/default_runtime.py',
]
model = dict(test_cfg=dict(seg_maps=True))
test_evaluator = [
    *_base_.test_evaluator,
    dict(type='wsl_plugins.SegMapMetric', mask_dir='data/demo/VOC2007/SegmentationClass'),
]
load_from = 'work_dirs/sdcn_demo_stage2_separate/epoch_12.pth'
train_cfg = dict(max_epochs=6, dynamic_intervals=[(1, 6)])
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=5, begin=1, end=6, convert_to_iter_based=True),
]
