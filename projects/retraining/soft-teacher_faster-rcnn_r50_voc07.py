# The semi-supervised stage: images split by tools/split_images.py, SoftTeacher of mmdet whose
# teacher is held to the image labels. Starts from the retrained detector (load_from).
_base_ = [
    'mmdet::soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py',
    './voc07_data.py',
]

# the network of faster-rcnn_r50_fpn_1x_voc07.py
detector = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    ),
    backbone=dict(
        norm_cfg=dict(requires_grad=True),
        style='pytorch',
        init_cfg=dict(checkpoint='torchvision://resnet50'),
    ),
    roi_head=dict(bbox_head=dict(type='wsl_plugins.RoIDropBBoxHead', num_classes=20)),
)
model = dict(
    type='wsl_plugins.LabelFilteredSoftTeacher',
    detector=detector,
    data_preprocessor=dict(data_preprocessor=detector['data_preprocessor']),
    semi_train_cfg=dict(unsup_weight=2.0),
)
load, annotations, *rest = _base_.sup_pipeline
sup_pipeline = [load, annotations, dict(type='wsl_plugins.PseudoBoxNMS'), *rest]
load, empty, branches = _base_.unsup_pipeline
*weak, pack = branches['unsup_teacher']
pack = dict(pack, meta_keys=(*pack['meta_keys'], 'image_labels'))
unsup_pipeline = [
    load,
    dict(type='wsl_plugins.ImageLabelsOfInstances', num_classes=20),
    empty,
    dict(branches, unsup_teacher=[*weak, pack]),
]
part = dict(
    data_root=_base_.voc_root,
    data_prefix=dict(img='VOC2007/JPEGImages/'),
    metainfo=dict(classes=_base_.classes),
)
labelled = dict(ann_file='pseudo_boxes/split/labelled.json', pipeline=sup_pipeline, **part)
unlabelled = dict(ann_file='pseudo_boxes/split/unlabelled.json', pipeline=unsup_pipeline, **part)
train_dataloader = dict(
    # mmdet's GroupMultiSourceSampler waits for ever for a labelled image of a shape that has none
    sampler=dict(type='MultiSourceSampler'),
    dataset=dict(
        datasets=[
            dict(_base_.labeled_dataset, **labelled),
            dict(_base_.unlabeled_dataset, **unlabelled),
        ]
    ),
)
objects = dict(type='LoadAnnotations', with_bbox=True)
test_pipeline = [*_base_.test_pipeline[:-1], objects, _base_.test_pipeline[-1]]
val_dataloader = dict(dataset=dict(_delete_=True, pipeline=test_pipeline, **_base_.voc_objects))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, **_base_.voc_metric)
test_evaluator = val_evaluator
# of 5 images a step
train_cfg = dict(max_iters=15000, val_interval=5000)
param_scheduler = [_base_.param_scheduler[0], dict(_base_.param_scheduler[1], milestones=[12000])]
optim_wrapper = dict(optimizer=dict(lr=0.0025))
