# a narrow ResNet-18 from scratch
_base_ = 'psol_resnet18.py'
model = dict(
    backbone=dict(base_channels=16, stem_channels=16, init_cfg=None),
    head=dict(in_channels=128),
)
optim_wrapper = dict(
    _delete_=True,
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=5e-4, nesterov=True),
)
