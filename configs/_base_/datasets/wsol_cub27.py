# The first 27 classes of CUB-200-2011, 5 training images of each held out as train-fullsup:
#   python tools/convert_wsol_metadata.py cub data/CUB_200_2011 \
#       --out data/wsol_metadata/CUB27 --fullsup 5
_base_ = './wsol_cub.py'

data_preprocessor = dict(num_classes=27)
data = dict(metadata_root='wsol_metadata/CUB27')
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
