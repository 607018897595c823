# ImageNet for binary-class detectors; train-fullsup is ImageNetV2.
_base_ = './wend_cub.py'

data = dict(data_prefix='ILSVRC', metadata_root='wsol_metadata/ILSVRC')
# 1.3 million files are not looked for at the start
train_dataloader = dict(
    dataset=dict(check_files=False, box_file='pseudo_boxes/ILSVRC_ddt-vgg16.json', **data)
)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
