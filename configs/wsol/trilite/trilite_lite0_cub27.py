# 27 classes of CUB, 675 training images, 4 epochs
_base_ = './trilite_lite0_cub.py'
model = dict(head=dict(num_classes=27))
data_preprocessor = dict(num_classes=27)
data = dict(metadata_root='wsol_metadata/CUB27')
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
train_cfg = dict(max_epochs=4, val_interval=4)
param_scheduler = dict(
    _delete_=True, type='CosineAnnealingLR', by_epoch=True, T_max=4, convert_to_iter_based=True
)
