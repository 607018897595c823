# The frozen EfficientNet-Lite0 of oicr_lite0-context_voc07-train.py, its proposals and image size,
# and a head that learns classes from means and cells, boxes from cells
context_detector = dict(
    data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3, pad_size_divisor=1),
    backbone=dict(
        _delete_=True,
        type='wsl_plugins.TimmBackbone',
        model_name='tf_efficientnet_lite0',
        output_stride=16,
        frozen_stages=4,
        frozen_norm=True,
        init_cfg=dict(type='Pretrained', checkpoint='efficientnet-lite0'),
    ),
    neck=None,
    roi_head=dict(
        bbox_roi_extractor=dict(
            _delete_=True,
            type='wsl_plugins.ContextRoIExtractor',
            stride=16,
            output_size=3,
            border=1,
        ),
        bbox_head=dict(_delete_=True, type='wsl_plugins.ContextBBoxHead', num_classes=20),
    ),
    train_cfg=dict(rcnn=dict(sampler=dict(num=64))),
    test_cfg=dict(rcnn=dict(score_thr=0.01, nms=dict(iou_threshold=0.3))),
)
context_proposals = dict(type='wsl_plugins.LoadWSODProposals', min_side=40)
context_moves = dict(
    type='ProposalBroadcaster',
    transforms=[
        dict(type='Resize', scale=(2000, 480), keep_ratio=True),
        dict(type='RandomFlip', prob=0.5),
    ],
)
context_optimizer = dict(
    _delete_=True,
    type='wsl_plugins.BFloat16OptimWrapper',
    optimizer=dict(type='AdamW', lr=3e-4, weight_decay=0.01),
    accumulative_counts=4,
)
