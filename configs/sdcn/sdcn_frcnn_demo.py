# SDCN + FRCNN on the generated images: mmdet's Fast R-CNN on the backbone of the detector learns
# from the top box of each class that the detector finds in a training image
_base_ = '../wsddn/wsddn_demo.py'

model = dict(
    roi_head=dict(
        _delete_=True,
        type='StandardRoIHead',
        bbox_roi_extractor=dict(
            type='wsl_plugins.SingleRoIExtractor',
            roi_layer=dict(type='wsl_plugins.RoIPool', output_size=5),
            out_channels=64,
            featmap_strides=[4],
        ),
        bbox_head=dict(
            type='Shared2FCBBoxHead',
            in_channels=64,
            fc_out_channels=256,
            roi_feat_size=5,
            num_classes=5,
            reg_class_agnostic=True,
            bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_stds=[0.1, 0.1, 0.2, 0.2]),
            loss_cls=dict(type='CrossEntropyLoss'),
            loss_bbox=dict(type='L1Loss'),
        ),
    ),
    train_cfg=dict(
        _delete_=True,
        rcnn=dict(
            assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5),
            sampler=dict(type='RandomSampler', num=128, pos_fraction=0.25, neg_pos_ub=-1),
            pos_weight=-1,
            debug=False,
        ),
    ),
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadProposals', num_max_proposals=None),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='ProposalBroadcaster',
        transforms=[
            dict(type='RandomChoiceResize', scales=[(600, 128), (600, 144)], keep_ratio=True),
            dict(
                type='RandomFlip',
                prob=[0.25, 0.25, 0.25],
                direction=['horizontal', 'vertical', 'diagonal'],
            ),
        ],
    ),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CocoDataset',
        data_root='data/demo/',
        metainfo=dict(classes=('ring', 'star', 'cross', 'checker', 'wedge')),
        ann_file='sdcn_boxes.json',
        data_prefix=dict(img='VOC2007/JPEGImages/'),
        proposal_file='proposals_train.pkl',
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=train_pipeline,
    )
)
