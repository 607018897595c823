_base_ = ['../../_base_/datasets/wsol_imagenet.py', '../../_base_/wsol_runtime.py']
model = dict(type='wsl_plugins.CenterGaussian')
# nothing to train or to choose
train_dataloader = None
val_dataloader = None
val_evaluator = None
test_cfg = dict()
test_evaluator = [dict(type='wsl_plugins.MaxBoxAcc')]
