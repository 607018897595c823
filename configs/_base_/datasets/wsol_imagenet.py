# ImageNet for weakly supervised localization, boxes; train-fullsup is ImageNetV2.
_base_ = './wsol_cub.py'

data_preprocessor = dict(num_classes=1000)
data = dict(data_prefix='ILSVRC', metadata_root='wsol_metadata/ILSVRC')
# 1.3 million files are not looked for at the start
train_dataloader = dict(dataset=dict(check_files=False, **data))
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
