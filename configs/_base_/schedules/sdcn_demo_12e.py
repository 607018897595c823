# the schedule of the generated images with two players
_base_ = './demo_12e.py'

optim_wrapper = dict(
    _delete_=True,
    constructor='wsl_plugins.PlayerOptimWrapperConstructor',
    detector=dict(optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-2)),
    classifier=dict(
        modules=['classifier'], optimizer=dict(type='AdamW', lr=2e-4, weight_decay=1e-2)
    ),
)
model_wrapper_cfg = dict(type='wsl_plugins.AlternatingDDP')
