_base_ = 'psol_resnet18-sep_cub27.py'
model = dict(head=dict(type='wsl_plugins.JointBoxHead', num_classes=27))
param_scheduler = dict(type='MultiStepLR', by_epoch=True, milestones=[10, 20], gamma=0.1)
val_evaluator = [
    dict(type='wsl_plugins.LocAccuracy'),
    dict(type='mmpretrain.Accuracy', topk=(1, 5)),
]
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=30)
