_base_ = ['mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py', './voc07_data.py']

model = dict(bbox_head=dict(num_classes=20))
load, annotations, *rest = _base_.train_pipeline
train_pipeline = [load, annotations, dict(type='wsl_plugins.PseudoBoxNMS'), *rest]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **_base_.pseudo_boxes))
val_dataloader = dict(
    dataset=dict(_delete_=True, pipeline={{_base_.test_pipeline}}, **_base_.voc_objects)
)
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, **_base_.voc_metric)
test_evaluator = val_evaluator
