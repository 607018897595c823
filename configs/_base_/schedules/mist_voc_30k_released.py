# two players, each with its own optimiser
_base_ = './mist_voc_28e.py'

optim_wrapper = dict(
    _delete_=True,
    constructor='wsl_plugins.PlayerOptimWrapperConstructor',
    detector=dict(
        optimizer=dict(type='SGD', lr=4e-3, momentum=0.9, weight_decay=5e-4),
        paramwise_cfg=dict(bias_lr_mult=2.0, bias_decay_mult=0.0),
    ),
    drop_layer=dict(
        modules=['roi_head.drop_layer'],
        optimizer=dict(type='SGD', lr=1e-4, momentum=0.9, weight_decay=5e-4),
    ),
)
model_wrapper_cfg = dict(type='wsl_plugins.AlternatingDDP')
