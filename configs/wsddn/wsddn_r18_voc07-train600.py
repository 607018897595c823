# The CPU-sized recipe: ResNet-18 with C5 on 128 random proposals per image, vectors of one length.
# resnet18_pqf.pth (configs/oicr/README.md) is not published; 'torchvision://resnet18' fits as well,
# and wsddn_lite0_voc07-train600.py has weights that come with a package.
_base_ = [
    '../_base_/models/wsddn_r18-c4.py',
    '../_base_/datasets/voc07-train600_wsod.py',
    '../_base_/schedules/voc_28e.py',
    '../_base_/default_runtime.py',
]

pretrained = dict(type='Pretrained', checkpoint='data/weights/resnet18_pqf.pth')
model = dict(
    backbone=dict(frozen_stages=3, init_cfg=pretrained),
    roi_head=dict(
        bbox_roi_extractor=dict(roi_layer=dict(output_size=7)),
        shared_head=[
            dict(
                type='ResLayer',
                depth=18,
                norm_cfg=dict(type='BN', requires_grad=False),
                init_cfg=pretrained,
            ),
            dict(type='wsl_plugins.NormalizedAvgPool', scale=5.0, dropout=0.5),
        ],
    ),
)

train_cfg = dict(max_epochs=10, val_interval=2)
val_cfg = dict(fp16=True)  # bfloat16 on CPU
test_cfg = dict(fp16=True)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(type='MultiStepLR', by_epoch=True, milestones=[7], gamma=0.1),
]
optim_wrapper = dict(
    type='wsl_plugins.BFloat16OptimWrapper',
    optimizer=dict(lr=0.01),
    paramwise_cfg=dict(
        custom_keys={'shared_head': dict(lr_mult=0.1), 'refine_heads': dict(lr_mult=10.0)}
    ),
)
