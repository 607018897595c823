_base_ = 'mmpretrain::_base_/default_runtime.py'

# the checkpoint that localizes best on train-fullsup is kept beside the last one and the one
# before it (should the last one be cut off while it is written)
default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=2, save_best='wsol/MaxBoxAccV2', rule='greater'),
    check_loss=dict(type='wsl_plugins.CheckLossHook'),
)
