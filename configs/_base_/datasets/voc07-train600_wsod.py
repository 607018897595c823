# A part of VOC 2007 for small machines: 600 images of `train`, 300 of `val`, reduced to 360 pixels
# on the longer side. Lists and proposals are not published: configs/oicr/README.md, "Lists of one's
# own", makes some.
_base_ = './voc07_wsod.py'

scales = [(2000, 224), (2000, 272), (2000, 320), (2000, 368)]
load_image = dict(type='LoadImageFromFile', backend_args={{_base_.backend_args}})
# small proposals are left out: on coarse features they win for their surroundings
train_pipeline = [
    load_image,
    dict(type='wsl_plugins.LoadWSODProposals', min_side=40, num_sample=128),
    dict(
        type='wsl_plugins.TransformWithProposals',
        transforms=[
            dict(type='RandomChoiceResize', scales=scales, keep_ratio=True),
            dict(type='RandomFlip', prob=0.5),
        ],
    ),
    dict(type='wsl_plugins.PackWSODInputs'),
]
test_pipeline = [
    load_image,
    dict(type='wsl_plugins.LoadWSODProposals', min_side=40),
    dict(
        type='wsl_plugins.TransformWithProposals',
        transforms=[dict(type='Resize', scale=(2000, 320), keep_ratio=True)],
    ),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='wsl_plugins.PackWSODInputs'),
]
# the views of VOC with these proposals and at these scales
tta_pipeline = test_pipeline[:2] + _base_.tta_pipeline[-1:]
tta_pipeline[-1]['transforms'][0] = [
    dict(
        type='wsl_plugins.TransformWithProposals',
        transforms=[dict(type='Resize', scale=scale, keep_ratio=True)],
    )
    for scale in scales
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
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
corloc_dataloader = dict(
    dataset=dict(
        ann_file='VOC2007/ImageSets/Main/train600.txt',
        proposal_file='VOC2007/proposals/selective_search_fast_train.npz',
        pipeline=test_pipeline,
    ),
)
