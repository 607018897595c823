# WEND: the binary-class Deformable DETR with the weighted entropy of every decoder stage; values of
# CUB, tau of table 11. Equation 4, eta * (all supervised losses) + WE; from the command line, with
# the weights 2, 5 and 2 of the detector, --cfg-options
#   model.bbox_head.loss_cls.eta=1
#   model.bbox_head.loss_bbox.loss_weight=5
#   model.bbox_head.loss_iou.loss_weight=2
#   model.bbox_head.loss_cls.entropy.gamma=4  (also alpha, tau1, tau2, loss_weight)
_base_ = 'bcd_deformable-detr_r50.py'

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
                type='wsl_plugins.WeightedEntropyLoss', gamma=6.0, alpha=0.1, tau1=0.9, tau2=0.9
            ),
        ),
        loss_bbox=dict(loss_weight=5 * eta),
        loss_iou=dict(loss_weight=2 * eta),
    ),
)
