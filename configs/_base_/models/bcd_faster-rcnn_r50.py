# Faster R-CNN as a binary-class detector (WEND, MM 2023), for object-centric images of 224 pixels:
# a pyramid of strides 8 to 32, anchors of 48, 96 and 192 pixels in three shapes, a tenth of the
# usual proposals, 64 RoIs an image instead of 512, half of them positive (table 12, "1:1").
_base_ = 'mmdet::_base_/models/faster-rcnn_r50_fpn.py'

model = dict(
    backbone=dict(out_indices=(1, 2, 3)),
    neck=dict(in_channels=[512, 1024, 2048], num_outs=3),
    rpn_head=dict(anchor_generator=dict(scales=[6], strides=[8, 16, 32])),
    roi_head=dict(
        bbox_roi_extractor=dict(featmap_strides=[8, 16, 32]),
        bbox_head=dict(num_classes=1),
    ),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=64)),
        rpn_proposal=dict(nms_pre=200, max_per_img=100),
        rcnn=dict(sampler=dict(num=64, pos_fraction=0.5)),
    ),
    # no threshold: every image has a most confident box; DetLocAccuracy(score_thr=...) counts fewer
    test_cfg=dict(
        rpn=dict(nms_pre=200, max_per_img=50),
        rcnn=dict(score_thr=0.0, max_per_img=10),
    ),
)
