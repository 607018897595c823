# Detectors whose layers per proposal outgrow the memory of a GPU: as many activations are kept as
# fit, the others are computed again (docs/sequential_batch.md)
_base_ = './default_runtime.py'

custom_hooks = [
    dict(type='NumClassCheckHook'),
    dict(type='wsl_plugins.SequentialBatchHook', sub_batch_size='auto'),
]
