# The behaviour of the published code: image loss over C + 1 columns, a candidate falls to every
# better one, conflicts go to the higher IoU, boxes end with their last pixel, the first branch
# counts three times, and Concrete DropBlock is trained in turns with the detector
_base_ = './mist_vgg16.py'

model = dict(
    type='wsl_plugins.AlternatingFastRCNN',
    roi_head=dict(
        drop_layer=dict(rescale='batch', batch_norm=True, round_draws=True),
        mil_head=dict(with_background=True, reduction='mean', eps=1e-10),
        refine_head=dict(plus_one=True),
        sampler=dict(suppress_by='all', conflict='iou', plus_one=True),
        refine_loss_weights=(3.0, 1.0, 1.0),
    ),
)
