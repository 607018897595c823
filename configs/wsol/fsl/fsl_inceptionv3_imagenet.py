_base_ = ['../cam/cam_inceptionv3_imagenet.py', '../../_base_/datasets/wsol_mask_pipeline.py']
model = dict(head=dict(_delete_=True, type='wsl_plugins.FSLHead', in_channels=1024))
train_dataloader = dict(dataset=dict(split='train-fullsup', pipeline=_base_.mask_pipeline))
# what it learns from cannot choose among its checkpoints
val_dataloader = None
val_cfg = None
val_evaluator = None
test_evaluator = [dict(type='wsl_plugins.MaxBoxAcc')]
default_hooks = dict(checkpoint=dict(save_best=None))
