# FCOS as a binary-class detector: object or background. WEND (MM 2023) puts the head on the last
# feature map, without a pyramid: one 3x3 convolution of 2048 channels per branch gives the 99.12
# million parameters of its table 1 (and 102.79 with 200 classes, 117.54 with 1000).
# 7 x 7 points for 224 pixels: images are object-centric, boxes are of any size.
model = dict(
    type='FCOS',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    backbone=dict(
        type='ResNet',
        depth=50,
        out_indices=(3,),
        frozen_stages=1,
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    neck=None,
    bbox_head=dict(
        type='FCOSHead',
        num_classes=1,
        in_channels=2048,
        feat_channels=2048,
        stacked_convs=1,
        strides=[32],
        regress_ranges=((-1, 1e8),),
        center_sampling=True,
        norm_on_bbox=True,
        centerness_on_reg=True,
        # distances start at two strides, half of a usual object: they are clamped at 0, and with
        # few points a side that starts below it for all of them would never learn
        init_cfg=dict(
            type='Normal',
            layer='Conv2d',
            std=0.01,
            override=[
                dict(type='Normal', name='conv_cls', std=0.01, bias_prob=0.01),
                dict(type='Normal', name='conv_reg', std=0.001, bias=2.0),
            ],
        ),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
        loss_bbox=dict(type='GIoULoss', loss_weight=1.0),
        loss_centerness=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
    ),
    # no threshold: every image has a most confident box; DetLocAccuracy(score_thr=...) counts fewer
    test_cfg=dict(
        nms_pre=49,
        min_bbox_size=0,
        score_thr=0.0,
        nms=dict(type='nms', iou_threshold=0.5),
        max_per_img=10,
    ),
)
