_base_ = 'psol_resnet18-sep_cub27.py'
model = dict(head=dict(type='wsl_plugins.JointBoxHead', num_classes=27))
val_evaluator = [
    dict(type='wsl_plugins.LocAccuracy'),
    dict(type='mmpretrain.Accuracy', topk=(1, 5)),
]
test_evaluator = val_evaluator
