_base_ = 'mmdet::fast_rcnn/fast-rcnn_r50_fpn_1x_coco.py'
model = dict(
    roi_head=dict(
        _delete_=True,
        type='wsl_plugins.WSODRoIHead',
        in_channels=1024,
        num_classes=80,
        bbox_roi_extractor=_base_.model.roi_head.bbox_roi_extractor,
        shared_head=dict(type='wsl_plugins.FCSharedHead', in_channels=256, fc_channels=(1024,) * 2),
        mil_head=dict(type='wsl_plugins.WSDDNHead'),
        refine_head=dict(type='wsl_plugins.RefinementHead', with_reg=True),
        sampler=dict(type='wsl_plugins.MISTSampler'),
    ),
    test_cfg=dict(rcnn=dict(score_thr=1e-5)),
)
pipeline = [*_base_.train_pipeline[:-1], dict(type='wsl_plugins.PackWSODInputs')]
data = dict(type='wsl_plugins.WSODCocoDataset', proposal_file='proposals/train2017_mcg.npz')
train_dataloader = dict(dataset=dict(data, pipeline=pipeline))
val_dataloader = dict(dataset=dict(data, proposal_file='proposals/val2017_mcg.npz'))
test_dataloader = val_dataloader
