_base_ = './trilite_lite0_cub.py'
model = dict(head=dict(num_classes=1000))
data_preprocessor = dict(num_classes=1000)
data = dict(data_prefix='ILSVRC', metadata_root='wsol_metadata/ILSVRC')
train_dataloader = dict(dataset=dict(check_files=False, **data))
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
train_cfg = dict(max_epochs=10)
param_scheduler = dict(milestones=[3, 6, 9])
