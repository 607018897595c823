# 27 classes of CUB, 675 training images
_base_ = './cam_lite0_cub.py'
model = dict(head=dict(num_classes=27))
data_preprocessor = dict(num_classes=27)
data = dict(metadata_root='wsol_metadata/CUB27')
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
