_base_ = 'psol_vgg16-sep_cub.py'
model = dict(head=dict(type='wsl_plugins.JointBoxHead', num_classes=200))
param_scheduler = dict(type='MultiStepLR', by_epoch=True, milestones=[10, 20], gamma=0.1)
val_evaluator = [
    dict(type='wsl_plugins.LocAccuracy'),
    dict(type='mmpretrain.Accuracy', topk=(1, 5)),
]
test_evaluator = val_evaluator
