_base_ = [
    '../_base_/models/mist_r50-c4.py',
    '../_base_/datasets/voc07_wsod.py',
    '../_base_/schedules/mist_voc_48e.py',
    '../_base_/sequential_batch_runtime.py',
]

train_dataloader = dict(batch_size=1)
