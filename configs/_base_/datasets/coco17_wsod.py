# COCO 2017. Proposals lie in data/coco/proposals/; tools/make_proposals.py makes them, and
# tools/convert_proposals.py reads those that others publish (MCG).
_base_ = './wsod_pipelines.py'
dataset_type = 'wsl_plugins.WSODCocoDataset'
data_root = 'data/coco/'

train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='AspectRatioBatchSampler'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/instances_train2017.json',
        data_prefix=dict(img='train2017/'),
        proposal_file='proposals/train2017_selective_search.npz',
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
        ann_file='annotations/instances_val2017.json',
        data_prefix=dict(img='val2017/'),
        proposal_file='proposals/val2017_selective_search.npz',
        test_mode=True,
        pipeline={{_base_.test_pipeline}},
        backend_args={{_base_.backend_args}},
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='wsl_plugins.WSODCocoMetric',
    ann_file=data_root + 'annotations/instances_val2017.json',
    backend_args={{_base_.backend_args}},
)
test_evaluator = val_evaluator

# CorLoc on the training images. In a config: test_dataloader = {{_base_.corloc_dataloader}} and
# test_evaluator = dict(_delete_=True, type='wsl_plugins.CorLocMetric').
corloc_dataloader = dict(
    val_dataloader,
    dataset=dict(
        val_dataloader['dataset'],
        ann_file=train_dataloader['dataset']['ann_file'],
        data_prefix=train_dataloader['dataset']['data_prefix'],
        proposal_file=train_dataloader['dataset']['proposal_file'],
    ),
)
