_base_ = [
    '../_base_/models/mist_vgg16.py',
    '../_base_/datasets/voc0712_wsod.py',
    '../_base_/schedules/mist_voc_48e.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=1)
