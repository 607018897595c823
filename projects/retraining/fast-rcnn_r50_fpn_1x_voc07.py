_base_ = ['mmdet::fast_rcnn/fast-rcnn_r50_fpn_1x_coco.py', './voc07_data.py']

model = dict(roi_head=dict(bbox_head=dict(type='wsl_plugins.RoIDropBBoxHead', num_classes=20)))
load, proposals, annotations, *rest = _base_.train_pipeline
train_pipeline = [load, proposals, annotations, dict(type='wsl_plugins.PseudoBoxNMS'), *rest]
train_dataloader = dict(
    dataset=dict(
        pipeline=train_pipeline,
        proposal_file='proposals/voc2007_trainval.pkl',
        **_base_.pseudo_boxes,
    )
)
objects = dict(type='LoadAnnotations', with_bbox=True)
test_pipeline = [*_base_.test_pipeline[:-1], objects, _base_.test_pipeline[-1]]
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        proposal_file='proposals/voc2007_test.npz',
        pipeline=test_pipeline,
        **_base_.voc_objects,
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, **_base_.voc_metric)
test_evaluator = val_evaluator
