_base_ = ['./soft-teacher_faster-rcnn_r50_voc07.py', './demo_data.py']

model = dict(detector=_base_.small, semi_train_cfg=dict(cls_pseudo_thr=0.7, rpn_pseudo_thr=0.7))
load, annotations, nms, _, *rest = _base_.sup_pipeline
sup_pipeline = [load, annotations, nms, _base_.demo_resize, *rest]
load, _, empty, branches = _base_.unsup_pipeline
_, *teacher = branches['unsup_teacher']
_, *student = branches['unsup_student']
unsup_pipeline = [
    load,
    dict(type='wsl_plugins.ImageLabelsOfInstances', num_classes=5),
    empty,
    dict(
        branches,
        unsup_teacher=[_base_.demo_resize, *teacher],
        unsup_student=[_base_.demo_resize, *student],
    ),
]
labelled, unlabelled = _base_.train_dataloader.dataset.datasets
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        datasets=[
            dict(labelled, pipeline=sup_pipeline, **_base_.demo_boxes),
            dict(unlabelled, pipeline=unsup_pipeline, **_base_.demo_boxes),
        ]
    ),
)
load, _, *rest = _base_.test_pipeline
test_pipeline = [load, _base_.demo_resize, *rest]
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(pipeline=test_pipeline, **_base_.demo_objects),
)
test_dataloader = val_dataloader
train_cfg = dict(max_iters=600, val_interval=300)
param_scheduler = [_base_.param_scheduler[0], dict(_base_.param_scheduler[1], milestones=[500])]
optim_wrapper = dict(clip_grad=dict(max_norm=10))
default_hooks = dict(checkpoint=dict(interval=300))
