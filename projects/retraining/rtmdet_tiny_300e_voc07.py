_base_ = ['mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py', './voc07_data.py']

model = dict(bbox_head=dict(num_classes=20))
nms = dict(type='wsl_plugins.PseudoBoxNMS')
load, annotations, *rest = _base_.train_pipeline
train_pipeline = [load, annotations, nms, *rest]
load, annotations, *rest = _base_.train_pipeline_stage2
train_pipeline_stage2 = [load, annotations, nms, *rest]
average, switch = _base_.custom_hooks
custom_hooks = [average, dict(switch, switch_pipeline=train_pipeline_stage2)]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **_base_.pseudo_boxes))
val_dataloader = dict(
    dataset=dict(_delete_=True, pipeline={{_base_.test_pipeline}}, **_base_.voc_objects)
)
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, **_base_.voc_metric)
test_evaluator = val_evaluator
