_base_ = 'mmdet::fast_rcnn/fast-rcnn_r50_fpn_1x_coco.py'
custom_imports = dict(imports=['wsl_plugins'])  # for an mmcv without compiled operators
data_root, classes = 'data/birds/', ('emu', 'owl')
model = dict(
    roi_head=dict(
        _delete_=True,
        type='wsl_plugins.WSODRoIHead',
        in_channels=1024,
        num_classes=len(classes),
        bbox_roi_extractor=_base_.model.roi_head.bbox_roi_extractor,
        shared_head=dict(type='wsl_plugins.FCSharedHead', in_channels=256, fc_channels=(1024,) * 2),
        mil_head=dict(type='wsl_plugins.WSDDNHead'),
        refine_head=dict(type='wsl_plugins.RefinementHead', with_reg=True),
        sampler=dict(type='wsl_plugins.MISTSampler'),
    ),
    test_cfg=dict(rcnn=dict(score_thr=1e-5)),
)


def part(name, **kwargs):
    return dict(
        type='wsl_plugins.WSODCocoDataset',
        data_root=data_root,
        metainfo=dict(classes=classes),
        ann_file=f'{name}.json',
        data_prefix=dict(img=f'{name}/'),
        proposal_file=f'{name}.npz',
        **kwargs,
    )


pipeline = [*_base_.train_pipeline[:-1], dict(type='wsl_plugins.PackWSODInputs')]
train_dataloader = dict(dataset=part('train', pipeline=pipeline))
val_dataloader = test_dataloader = dict(dataset=part('val'))
val_evaluator = test_evaluator = dict(ann_file=data_root + 'val.json')
custom_hooks = [dict(type='NumClassCheckHook')]
optim_wrapper = dict(optimizer=dict(lr=0.0025))  # of 2 images a step; the base's is of 16
