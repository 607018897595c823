_base_ = 'mmdet::_base_/default_runtime.py'

# mmdet's own tools need it before mmdet.models if mmcv has no compiled operators
custom_imports = dict(imports=['wsl_plugins'])
# the last checkpoint, as published, the one before it (should this one be cut off while it is
# written) and the one that localizes best on train-fullsup
default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=2, save_best='wsol/gt_known_loc', rule='greater'),
    check_loss=dict(type='wsl_plugins.CheckLossHook'),
)
