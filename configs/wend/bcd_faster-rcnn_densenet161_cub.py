# without entropy (tables 2 and 10)
_base_ = 'wend_faster-rcnn_densenet161_cub.py'

model = dict(
    rpn_head=dict(loss_cls=dict(loss_weight=1.0), loss_bbox=dict(loss_weight=1.0)),
    roi_head=dict(
        bbox_head=dict(
            loss_cls=dict(eta=1.0, entropy=dict(loss_weight=0.0)),
            loss_bbox=dict(loss_weight=1.0),
        ),
    ),
)
