# WEND: the binary-class Faster R-CNN with the weighted entropy of its R-CNN classifier; values of
# CUB. Equation 4, eta * (all supervised losses) + WE; from the command line, --cfg-options
#   model.rpn_head.loss_cls.loss_weight=1 model.rpn_head.loss_bbox.loss_weight=1
#   model.roi_head.bbox_head.loss_cls.eta=1
#   model.roi_head.bbox_head.loss_bbox.loss_weight=1
#   model.roi_head.bbox_head.loss_cls.entropy.gamma=4  (also alpha, tau1, tau2, loss_weight)
_base_ = 'bcd_faster-rcnn_r50.py'

eta = 0.125
model = dict(
    rpn_head=dict(loss_cls=dict(loss_weight=eta), loss_bbox=dict(loss_weight=eta)),
    roi_head=dict(
        bbox_head=dict(
            loss_cls=dict(
                _delete_=True,
                type='wsl_plugins.EntropyRegularizedLoss',
                eta=eta,
                loss=_base_.model.roi_head.bbox_head.loss_cls,
                entropy=dict(
                    type='wsl_plugins.WeightedEntropyLoss', gamma=6.0, alpha=0.1, tau1=0.3, tau2=0.3
                ),
            ),
            loss_bbox=dict(loss_weight=eta),
        ),
    ),
)
