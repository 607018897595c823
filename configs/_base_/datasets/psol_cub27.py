# The first 27 classes of CUB-200-2011, see wsol_cub27.py
_base_ = './psol_cub.py'

data_preprocessor = dict(num_classes=27)
data = dict(metadata_root='wsol_metadata/CUB27')
train_dataloader = dict(dataset=dict(box_file='pseudo_boxes/CUB27_ddt-resnet50.json', **data))
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
