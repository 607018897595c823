# Ten classes of ImageNet, 1,000 training images: in three epochs about as many steps as in five of
# the birds. There is no train-fullsup to choose by
_base_ = './cam_lite0_cub27.py'
model = dict(head=dict(num_classes=10))
data_preprocessor = dict(num_classes=10)
data = dict(data_root='data/imagenette/', data_prefix='', metadata_root='wsol_metadata')
train_dataloader = dict(dataset=data)
val_dataloader = None
val_evaluator = None
val_cfg = None
test_dataloader = dict(dataset=data)
default_hooks = dict(checkpoint=dict(save_best=None))
train_cfg = dict(max_epochs=3)
param_scheduler = dict(milestones=[2])
