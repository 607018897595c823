# A part of VOC 2007 for small machines: 600 images of `train`, 300 of `val`, reduced to 360 pixels
# on the longer side.
_base_ = './voc07_wsod.py'

train_pipeline = [
    dict(type='LoadImageFromFile', backend_args={{_base_.backend_args}}),
    dict(type='wsl_plugins.LoadWSODProposals', min_side=40, num_sample=256),
    dict(
        type='wsl_plugins.TransformWithProposals',
        transforms=[
            dict(
                type='RandomChoiceResize',
                scales=[(2000, 384), (2000, 448), (2000, 512)],
                keep_ratio=True,
            ),
            dict(type='RandomFlip', prob=0.5),
        ],
    ),
    dict(type='wsl_plugins.PackWSODInputs'),
]
train_dataloader = dict(
    dataset=dict(
        ann_file='VOC2007/ImageSets/Main/train600.txt',
        proposal_file='VOC2007/proposals/selective_search_fast_train.npz',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    dataset=dict(
        ann_file='VOC2007/ImageSets/Main/val300.txt',
        proposal_file='VOC2007/proposals/selective_search_fast_val.npz',
    ),
)
test_dataloader = val_dataloader
corloc_dataloader = dict(
    dataset=dict(
        ann_file='VOC2007/ImageSets/Main/train600.txt',
        proposal_file='VOC2007/proposals/selective_search_fast_train.npz',
    ),
)
