# a narrow ResNet-18 with stride 8, from scratch: 12x12 score maps at 96 pixels
_base_ = 'cam_resnet18.py'
model = dict(
    backbone=dict(score_map_size=28, base_channels=16, stem_channels=16, init_cfg=None),
    head=dict(in_channels=128),
)
optim_wrapper = dict(
    _delete_=True,
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4, nesterov=True),
)
