_base_ = ['./faster-rcnn_r50_fpn_1x_voc07.py', './demo_data.py']

model = _base_.small
load, annotations, nms, _, *rest = _base_.train_pipeline
train_pipeline = [load, annotations, nms, _base_.demo_resize, *rest]
load, _, *rest = _base_.test_pipeline
test_pipeline = [load, _base_.demo_resize, *rest]
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(pipeline=train_pipeline, **_base_.demo_boxes),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(pipeline=test_pipeline, **_base_.demo_objects),
)
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=0.01), clip_grad=dict(max_norm=10))
train_cfg = dict(max_epochs=12, val_interval=6)
