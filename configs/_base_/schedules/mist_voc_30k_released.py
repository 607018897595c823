# The published solver by steps: two players, each with its own optimiser and schedule; the rate of
# the drop layer rises where that of the detector falls. A config needs besides
# train_dataloader.sampler=dict(type='InfiniteSampler'), default_hooks.checkpoint.by_epoch=False,
# default_hooks.logger.log_metric_by_epoch=False and log_processor.by_epoch=False.
_base_ = './mist_voc_48e.py'

train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=30_000, val_interval=2_500)
milestones = [20_000, 26_700]
param_scheduler = dict(
    _delete_=True,
    detector=[
        dict(type='LinearLR', start_factor=1 / 3, by_epoch=False, begin=0, end=201),  # 200 steps
        dict(type='MultiStepLR', by_epoch=False, milestones=milestones, gamma=0.1),
    ],
    drop_layer=[dict(type='MultiStepLR', by_epoch=False, milestones=milestones, gamma=3.0)],
)
sgd = dict(type='SGD', momentum=0.9, weight_decay=1e-4)
optim_wrapper = dict(
    _delete_=True,
    constructor='wsl_plugins.PlayerOptimWrapperConstructor',
    detector=dict(
        optimizer=dict(sgd, lr=0.01), paramwise_cfg=dict(bias_lr_mult=2.0, bias_decay_mult=0.0)
    ),
    drop_layer=dict(modules=['roi_head.drop_layer'], optimizer=dict(sgd, lr=1e-4)),
)
model_wrapper_cfg = dict(type='wsl_plugins.AlternatingDDP')
