# The semi-supervised stage behind fast-rcnn_lite0-context_voc07-train.py (load_from); teacher and
# student have the same proposals
_base_ = ['./soft-teacher_faster-rcnn_r50_voc07.py', './lite0_context_data.py']

model = dict(
    detector=dict(_base_.context_detector, type='TwoStageDetector', rpn_head=None),
    semi_train_cfg=dict(pseudo_label_initial_score_thr=0.3, cls_pseudo_thr=0.5),
)
model.update(data_preprocessor=dict(data_preprocessor=model['detector']['data_preprocessor']))
proposals, moves = _base_.context_proposals, _base_.context_moves
some = dict(proposals, num_sample=200)
load, annotations, nms, _, _, *rest = _base_.sup_pipeline
sup_pipeline = [load, some, annotations, nms, moves, *rest]
load, _, empty, branches = _base_.unsup_pipeline
pack = branches['unsup_teacher'][-1]
colours = dict(type='RandAugment', aug_space=_base_.color_space, aug_num=1)
erase = dict(type='RandomErasing', n_patches=(1, 5), ratio=(0, 0.2))
unsup_pipeline = [
    load,
    some,
    empty,
    dict(
        branches,
        unsup_teacher=[moves, pack],
        unsup_student=[moves, colours, erase, pack],
    ),
]
labelled, unlabelled = _base_.train_dataloader.dataset.datasets
file = dict(type='wsl_plugins.PseudoBoxCocoDataset', proposal_file='proposals/voc2007_train.npz')
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(batch_size=2, source_ratio=[1, 1]),
    dataset=dict(
        datasets=[
            dict(labelled, pipeline=sup_pipeline, **file),
            dict(unlabelled, pipeline=unsup_pipeline, **file),
        ]
    ),
)
load, _, annotations, pack = _base_.test_pipeline
resize = dict(moves, transforms=moves['transforms'][:1])
test_pipeline = [load, proposals, resize, annotations, pack]
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        ann_file='VOC2007/ImageSets/Main/val.txt',
        proposal_file='proposals/voc2007_val.npz',
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
train_cfg = dict(max_iters=1500, val_interval=1500)
val_cfg = dict(fp16=True)
test_cfg = dict(fp16=True)
optim_wrapper = dict(
    _base_.context_optimizer, optimizer=dict(type='AdamW', lr=2e-4, weight_decay=0.01)
)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=1500, by_epoch=False)]
default_hooks = dict(checkpoint=dict(interval=1500))
