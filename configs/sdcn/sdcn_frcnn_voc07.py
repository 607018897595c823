# SDCN + FRCNN: Fast R-CNN on VGG16, of mmdet's heads, learns from the top box of each class that
# the trained detector finds in a training image; the README says how the files are made. Sampling
# of RoIs, rate and length (40k steps of 2 images) are Fast R-CNN's: the paper names none.
_base_ = [
    '../_base_/datasets/voc07_wsod.py',
    '../_base_/schedules/voc_28e.py',
    '../_base_/default_runtime.py',
]

# fmt: off
classes = (
    'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow',
    'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa', 'train',
    'tvmonitor',
)
# fmt: on
pretrained = dict(type='Pretrained', checkpoint='torchvision://vgg16')
model = dict(
    type='FastRCNN',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    # stride 16
    backbone=dict(type='wsl_plugins.LocalizerVGG', depth=16, frozen_stages=2, init_cfg=pretrained),
    roi_head=dict(
        type='StandardRoIHead',
        bbox_roi_extractor=dict(
            type='wsl_plugins.SingleRoIExtractor',
            roi_layer=dict(type='wsl_plugins.RoIPool', output_size=7),
            out_channels=512,
            featmap_strides=[16],
        ),
        # fc6 and fc7
        shared_head=dict(type='wsl_plugins.FCSharedHead', init_cfg=pretrained),
        bbox_head=dict(
            type='BBoxHead',
            in_channels=4096,
            roi_feat_size=1,
            num_classes=20,
            bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_stds=[0.1, 0.1, 0.2, 0.2]),
            loss_cls=dict(type='CrossEntropyLoss'),
            loss_bbox=dict(type='SmoothL1Loss'),
        ),
    ),
    train_cfg=dict(
        rcnn=dict(
            assigner=dict(
                type='MaxIoUAssigner',
                pos_iou_thr=0.5,
                neg_iou_thr=(0.1, 0.5),
                min_pos_iou=0.5,
                match_low_quality=False,
            ),
            sampler=dict(type='RandomSampler', num=64, pos_fraction=0.25),
            pos_weight=-1,
            debug=False,
        )
    ),
    test_cfg=dict(
        rcnn=dict(score_thr=0.05, nms=dict(type='nms', iou_threshold=0.3), max_per_img=100)
    ),
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadProposals', num_max_proposals=None),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='ProposalBroadcaster',
        transforms=[
            dict(type='Resize', scale=(1000, 600), keep_ratio=True),
            dict(type='RandomFlip', prob=0.5),
        ],
    ),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    *_base_.loading,
    dict(
        type='wsl_plugins.TransformWithProposals',
        transforms=[dict(type='Resize', scale=(1000, 600), keep_ratio=True)],
    ),
    *_base_.test_pipeline[-2:],
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CocoDataset',
        data_root='data/',
        metainfo=dict(classes=classes),
        ann_file='pseudo_boxes/voc07_sdcn.json',
        data_prefix=dict(img='VOCdevkit/VOC2007/JPEGImages/'),
        proposal_file='pseudo_boxes/voc07_proposals.pkl',
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=16)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=500),
    dict(type='MultiStepLR', by_epoch=True, milestones=[12], gamma=0.1),
]
