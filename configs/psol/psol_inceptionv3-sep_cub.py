_base_ = [
    '../_base_/models/psol_inceptionv3.py',
    '../_base_/datasets/psol_cub.py',
    '../_base_/datasets/psol_299.py',
    '../_base_/schedules/psol_30e.py',
    '../_base_/psol_runtime.py',
]
data_preprocessor = _base_.preprocessor_299
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline_299))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline_299))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline_299))
