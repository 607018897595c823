# SDCN + FRCNN: mmdet's own Fast R-CNN (ResNet-50, FPN, 1x) learns from the top box of each class
# that the trained detector finds in a training image; the README says how the files are made. The
# rate is that of 16 images: --auto-scale-lr.
_base_ = [
    'mmdet::_base_/models/fast-rcnn_r50_fpn.py',
    'mmdet::_base_/schedules/schedule_1x.py',
    'mmdet::_base_/default_runtime.py',
    '../_base_/datasets/voc07_wsod.py',
]

# fmt: off
classes = (
    'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow',
    'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa', 'train',
    'tvmonitor',
)
# fmt: on
model = dict(roi_head=dict(bbox_head=dict(num_classes=20)))
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
