# OpenImages30k for weakly supervised localization, masks (below the folder of the images).
_base_ = './wsol_cub.py'

data_preprocessor = dict(num_classes=100)
data = dict(data_prefix='OpenImages', metadata_root='wsol_metadata/OpenImages')
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=dict(require='masks', **data))
test_dataloader = dict(dataset=dict(require='masks', **data))
val_evaluator = [
    dict(type='wsl_plugins.PxAP'),
    dict(type='mmpretrain.Accuracy', topk=(1, 5)),
]
test_evaluator = val_evaluator
