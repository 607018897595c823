_base_ = [
    '../_base_/models/mist_lite0.py',
    '../_base_/datasets/voc07_wsod.py',
    '../_base_/schedules/mist_voc_48e.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=1)
