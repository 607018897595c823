# Ten classes of ImageNet: image labels in training, boxes in test. There is no train-fullsup to
# choose by: a config on it sets val_cfg = None and trains a fixed schedule.
_base_ = './wsol_cub.py'

data_preprocessor = dict(num_classes=10)
data = dict(data_root='data/imagenette/', data_prefix='', metadata_root='wsol_metadata')
train_dataloader = dict(dataset=data)
val_dataloader = None
val_evaluator = None
test_dataloader = dict(dataset=data)
