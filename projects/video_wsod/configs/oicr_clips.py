# The single-frame model: OICR as in oicr_demo.py, half as wide
_base_ = [
    '../../../configs/_base_/models/wsddn_demo.py',
    './clips.py',
    '../../../configs/_base_/schedules/demo_12e.py',
    '../../../configs/_base_/default_runtime.py',
]
custom_imports = dict(imports=['wsl_plugins', 'projects.video_wsod.video_wsod'])
model = dict(
    backbone=dict(base_channels=32, stem_channels=32),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=32),
        shared_head=dict(in_channels=32),
        refine_head=dict(type='wsl_plugins.RefinementHead', normalize_weights=True),
    ),
)
train_cfg = dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=10, val_interval=10)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=9, begin=1, end=10, convert_to_iter_based=True),
]
