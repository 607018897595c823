# eta, gamma, alpha and tau of table 8
_base_ = [
    '../_base_/models/wend_fcos_r50.py',
    '../_base_/datasets/wend_imagenet.py',
    '../_base_/schedules/wend_sgd_10e.py',
    '../_base_/wend_runtime.py',
]

eta = 0.03125
entropy = dict(gamma=4.0, alpha=0.25, tau1=0.1, tau2=0.1)
model = dict(
    bbox_head=dict(
        loss_cls=dict(eta=eta, entropy=entropy),
        loss_bbox=dict(loss_weight=eta),
        loss_centerness=dict(loss_weight=eta),
    ),
)
