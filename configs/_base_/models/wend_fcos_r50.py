# WEND: the binary-class FCOS with the weighted entropy of its classifier; values of CUB.
# Equation 4, eta * (all supervised losses) + WE; from the command line, --cfg-options
#   model.bbox_head.loss_cls.eta=1
#   model.bbox_head.loss_bbox.loss_weight=1
#   model.bbox_head.loss_centerness.loss_weight=1
#   model.bbox_head.loss_cls.entropy.gamma=4  (also alpha, tau1, tau2, loss_weight)
_base_ = 'bcd_fcos_r50.py'

eta = 0.125
model = dict(
    bbox_head=dict(
        loss_cls=dict(
            _delete_=True,
            type='wsl_plugins.EntropyRegularizedLoss',
            use_sigmoid=True,
            eta=eta,
            loss=_base_.model.bbox_head.loss_cls,
            entropy=dict(
                type='wsl_plugins.WeightedEntropyLoss', gamma=6.0, alpha=0.1, tau1=0.3, tau2=0.3
            ),
        ),
        loss_bbox=dict(loss_weight=eta),
        loss_centerness=dict(loss_weight=eta),
    ),
)
