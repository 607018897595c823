# The CPU-sized recipe, stage 3: ResNet-18 for detector and classifier, 600 images
_base_ = '../oicr/oicr_r18_voc07-train600.py'

model = dict(
    type='wsl_plugins.SDCN',
    backbone=dict(out_indices=(1, 2)),
    roi_head=dict(type='wsl_plugins.SDCNRoIHead'),
    seg_head=dict(type='wsl_plugins.SegCollabHead', in_channels=(128, 256), num_classes=20),
    classifier=dict(
        type='wsl_plugins.MaskedClassifier',
        classifier=dict(
            type='wsl_plugins.WSOLClassifier',
            data_preprocessor=dict(num_classes=20),
            backbone=dict(type='mmpretrain.ResNet', depth=18, frozen_stages=3, norm_eval=True),
            neck=dict(type='mmpretrain.GlobalAveragePooling'),
            head=dict(type='mmpretrain.MultiLabelLinearClsHead', num_classes=20, in_channels=512),
        ),
    ),
)
optim_wrapper = dict(
    _delete_=True,
    constructor='wsl_plugins.PlayerOptimWrapperConstructor',
    detector=dict(
        type='wsl_plugins.BFloat16OptimWrapper',
        optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4),
        paramwise_cfg={{_base_.optim_wrapper.paramwise_cfg}},
    ),
    classifier=dict(
        type='wsl_plugins.BFloat16OptimWrapper',
        modules=['classifier'],
        optimizer=dict(type='SGD', lr=1e-3, momentum=0.9, weight_decay=5e-4),
    ),
)
model_wrapper_cfg = dict(type='wsl_plugins.AlternatingDDP')
train_cfg = dict(max_epochs=2, val_interval=2)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(type='MultiStepLR', by_epoch=True, milestones=[1], gamma=0.1),
]
load_from = 'work_dirs/sdcn_stage2_separate_r18_voc07-train600/epoch_2.pth'
