_base_ = 'mmdet::_base_/default_runtime.py'

# the last checkpoint, as published, and the one that localizes best on train-fullsup
default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=1, save_best='wsol/gt_known_loc', rule='greater')
)
