# PASCAL VOC 2007. Proposals lie in data/VOCdevkit/proposals/: made by tools/make_proposals.py
# --method selective_search --min-side 20
_base_ = './wsod_pipelines.py'
dataset_type = 'wsl_plugins.WSODVOCDataset'
data_root = 'data/VOCdevkit/'

train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='AspectRatioBatchSampler'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='VOC2007/ImageSets/Main/trainval.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        proposal_file='proposals/voc2007_trainval_selective_search.npz',
        filter_cfg=dict(filter_empty_gt=True),
        pipeline={{_base_.train_pipeline}},
        backend_args={{_base_.backend_args}},
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='VOC2007/ImageSets/Main/test.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        proposal_file='proposals/voc2007_test_selective_search.npz',
        test_mode=True,
        pipeline={{_base_.test_pipeline}},
        backend_args={{_base_.backend_args}},
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='wsl_plugins.WSODVOCMetric', eval_mode='11points')
# beside it average recall as on COCO (AR@1, 10, 100 and by size), and recall of repeated objects
test_evaluator = [
    val_evaluator,
    dict(type='wsl_plugins.WSODCocoMetric'),
    dict(type='wsl_plugins.RepeatedRecallMetric'),
]

# CorLoc on the training images. In a config: test_dataloader = {{_base_.corloc_dataloader}} and
# test_evaluator = dict(_delete_=True, type='wsl_plugins.CorLocMetric').
corloc_dataloader = dict(
    val_dataloader,
    dataset=dict(
        val_dataloader['dataset'],
        ann_file=train_dataloader['dataset']['ann_file'],
        proposal_file=train_dataloader['dataset']['proposal_file'],
    ),
)
