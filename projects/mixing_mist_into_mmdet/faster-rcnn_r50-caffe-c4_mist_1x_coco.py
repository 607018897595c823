# A detector with an RPN: proposals of a file take its place. C5 runs per proposal, in sub-batches.
_base_ = 'mmdet::faster_rcnn/faster-rcnn_r50-caffe_c4-1x_coco.py'
host = _base_.model.roi_head
model = dict(
    rpn_head=None,
    roi_head=dict(
        _delete_=True,
        type='wsl_plugins.WSODRoIHead',
        in_channels=2048,
        num_classes=80,
        bbox_roi_extractor=host.bbox_roi_extractor,
        shared_head=host.shared_head,
        mil_head=dict(type='wsl_plugins.WSDDNHead'),
        refine_head=dict(type='wsl_plugins.RefinementHead', with_reg=True),
        sampler=dict(type='wsl_plugins.MISTSampler'),
    ),
    test_cfg=dict(rcnn=dict(score_thr=1e-5)),
)
custom_hooks = [dict(type='wsl_plugins.SequentialBatchHook', sub_batch_size=500)]

load = [_base_.train_pipeline[0], dict(type='wsl_plugins.LoadWSODProposals')]
resize, flip = _base_.train_pipeline[2:4]
move = dict(type='wsl_plugins.TransformWithProposals', transforms=[resize, flip])
keep = dict(type='wsl_plugins.TransformWithProposals', transforms=[resize])
pipeline = [*load, move, dict(type='wsl_plugins.PackWSODInputs')]
test_pipeline = [*load, keep, *_base_.test_pipeline[2:]]
data = dict(type='wsl_plugins.WSODCocoDataset', proposal_file='proposals/train2017_mcg.npz')
train_dataloader = dict(dataset=dict(data, pipeline=pipeline))
data = dict(data, proposal_file='proposals/val2017_mcg.npz', pipeline=test_pipeline)
val_dataloader = dict(dataset=data)
test_dataloader = val_dataloader
