# Two stages with localisation quality (OLN-style; "CLN" in WEND, MM 2023): proposals are scored by
# class and centerness, boxes by sqrt(foreground probability * predicted IoU).
_base_ = 'bcd_faster-rcnn_r50.py'

model = dict(
    rpn_head=dict(
        _delete_=True,
        type='FCOSHead',
        num_classes=1,
        in_channels=256,
        feat_channels=256,
        stacked_convs=1,
        strides=[8, 16, 32],
        # the distance to the farthest side, for objects up to about 60, 120 and 224 pixels
        regress_ranges=((-1, 48), (48, 96), (96, 1e8)),
        center_sampling=True,
        # norm_on_bbox would leave the strides out of the proposals in training; instead, distances
        # start at e^4 = 55 pixels, half of a usual object
        init_cfg=dict(
            type='Normal',
            layer='Conv2d',
            std=0.01,
            override=[
                dict(type='Normal', name='conv_cls', std=0.01, bias_prob=0.01),
                dict(type='Normal', name='conv_reg', std=0.01, bias=4.0),
            ],
        ),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
        loss_bbox=dict(type='GIoULoss', loss_weight=1.0),
        loss_centerness=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
    ),
    roi_head=dict(
        bbox_head=dict(
            type='wsl_plugins.QualityBBoxHead',
            loss_quality=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
        ),
    ),
    train_cfg=dict(rpn=None),
)
