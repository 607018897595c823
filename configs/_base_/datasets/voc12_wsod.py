# PASCAL VOC 2012: train on `train`, evaluate on `val`. The boxes of its test split are not public;
# for the evaluation server train on `trainval`.
_base_ = './voc07_wsod.py'

train_dataloader = dict(
    dataset=dict(
        ann_file='VOC2012/ImageSets/Main/train.txt',
        data_prefix=dict(sub_data_root='VOC2012/'),
        proposal_file='proposals/voc2012_train_selective_search.npz',
    )
)
val_dataloader = dict(
    dataset=dict(
        ann_file='VOC2012/ImageSets/Main/val.txt',
        data_prefix=dict(sub_data_root='VOC2012/'),
        proposal_file='proposals/voc2012_val_selective_search.npz',
    )
)
test_dataloader = val_dataloader
corloc_dataloader = train_dataloader
val_evaluator = dict(eval_mode='area')
test_evaluator = [
    dict(type='wsl_plugins.WSODVOCMetric', eval_mode='area'),
    dict(type='wsl_plugins.WSODCocoMetric'),
    dict(type='wsl_plugins.RepeatedRecallMetric'),
]
