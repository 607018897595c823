# without entropy: plain losses, all with weight 1
_base_ = 'wend_fcos_demo.py'

model = dict(
    bbox_head=dict(
        loss_cls=dict(_delete_=True, type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25),
        loss_bbox=dict(loss_weight=1.0),
        loss_centerness=dict(loss_weight=1.0),
    ),
)
