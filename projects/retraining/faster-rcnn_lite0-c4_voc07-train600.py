# Small: EfficientNet-Lite0 at stride 16, its first stages frozen, 320 pixels; 600 training images
_base_ = './faster-rcnn_r50_fpn_1x_voc07.py'

model = dict(
    data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3),
    backbone=dict(
        _delete_=True,
        type='wsl_plugins.TimmBackbone',
        model_name='tf_efficientnet_lite0',
        out_indices=(3,),
        frozen_stages=2,
        frozen_norm=True,
        init_cfg=dict(type='Pretrained', checkpoint='efficientnet-lite0'),
    ),
    neck=None,
    rpn_head=dict(
        in_channels=112,
        feat_channels=112,
        anchor_generator=dict(scales=[2, 4, 8, 16], strides=[16]),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=112, featmap_strides=[16]),
        bbox_head=dict(in_channels=112, fc_out_channels=256, reg_class_agnostic=True),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=500, max_per_img=300),
        rcnn=dict(sampler=dict(num=128)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=200)),
)
resize = dict(type='Resize', scale=(480, 320), keep_ratio=True)
load, annotations, nms, _, *rest = _base_.train_pipeline
train_pipeline = [load, annotations, nms, resize, *rest]
load, _, *rest = _base_.test_pipeline
test_pipeline = [load, resize, *rest]
train_dataloader = dict(batch_size=4, num_workers=0, persistent_workers=False)
train_dataloader.update(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=0, persistent_workers=False)
val_dataloader.update(
    dataset=dict(ann_file='VOC2007/ImageSets/Main/val300.txt', pipeline=test_pipeline)
)
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=0.01), clip_grad=dict(max_norm=10))
train_cfg = dict(max_epochs=8, val_interval=4)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='MultiStepLR', by_epoch=True, milestones=[6], gamma=0.1),
]
