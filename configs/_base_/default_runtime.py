_base_ = 'mmdet::_base_/default_runtime.py'

# mmdet's own tools need it before mmdet.models if mmcv has no compiled operators
custom_imports = dict(imports=['wsl_plugins'])
# num_classes of the heads against the classes of the data set, before the first epoch
custom_hooks = [dict(type='NumClassCheckHook')]
default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=2),
    check_loss=dict(type='wsl_plugins.CheckLossHook'),
)
