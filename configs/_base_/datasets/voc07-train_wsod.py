# VOC 2007, `train` for training and `val` for mAP, one view of each image: made for cached maps
# (docs/cached_features.md). Proposals: tools/make_proposals.py with its default recipe.
_base_ = './voc07_wsod.py'

load = [
    dict(type='LoadImageFromFile', backend_args={{_base_.backend_args}}),
    dict(type='wsl_plugins.LoadWSODProposals', min_side=40),
]
resize = dict(
    type='wsl_plugins.TransformWithProposals',
    transforms=[dict(type='Resize', scale=(2000, 480), keep_ratio=True)],
)
pack = dict(type='wsl_plugins.PackWSODInputs')
# the best of the default recipe; a file without scores: max_num=None, num_sample=256
train_pipeline = [load[0], dict(load[1], max_num=200), resize, pack]
test_pipeline = [*load, resize, dict(type='LoadAnnotations', with_bbox=True), pack]
tta_pipeline = None
# one image at a time: padding would count as surroundings
train_dataloader = dict(
    batch_size=1,
    num_workers=0,
    persistent_workers=False,
    batch_sampler=None,
    dataset=dict(
        ann_file='VOC2007/ImageSets/Main/train.txt',
        proposal_file='proposals/voc2007_train.npz',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        ann_file='VOC2007/ImageSets/Main/val.txt',
        proposal_file='proposals/voc2007_val.npz',
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
corloc_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        ann_file='VOC2007/ImageSets/Main/train.txt',
        proposal_file='proposals/voc2007_train.npz',
        pipeline=test_pipeline,
    ),
)
