# The behaviour of the published code: a candidate falls to every better one, conflicts go to the
# higher IoU, the MIL head has a background column, the first branch counts three times, and
# Concrete DropBlock is trained in turns with the detector
_base_ = './mist_vgg16.py'

model = dict(
    type='wsl_plugins.AlternatingFastRCNN',
    ascent_weight=0.01,
    roi_head=dict(
        drop_layer=dict(rescale='batch'),
        mil_head=dict(with_background=True),
        sampler=dict(suppress_by='all', conflict='iou'),
        refine_loss_weights=(3.0, 1.0, 1.0),
    ),
)
