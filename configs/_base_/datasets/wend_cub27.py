# The first 27 classes of CUB-200-2011, see wsol_cub27.py; small batches for few images
_base_ = './wend_cub.py'

data = dict(metadata_root='wsol_metadata/CUB27')
train_dataloader = dict(
    batch_size=16, dataset=dict(box_file='pseudo_boxes/CUB27_ddt-resnet50.json', **data)
)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
