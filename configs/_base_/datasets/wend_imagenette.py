# Ten classes of ImageNet: image labels in training, boxes in test. There is no train-fullsup to
# choose by: a config on it sets val_cfg = None and trains a fixed schedule.
_base_ = './wend_cub.py'

data = dict(data_prefix='imagenette', metadata_root='imagenette/wsol_metadata')
train_dataloader = dict(
    batch_size=16, dataset=dict(box_file='pseudo_boxes/imagenette_ddt-resnet50.json', **data)
)
val_dataloader = None
val_evaluator = None
test_dataloader = dict(dataset=data)
