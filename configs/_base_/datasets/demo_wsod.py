# The generated data set of tools/make_demo_dataset.py: small images, five classes told apart by a
# small part.
_base_ = './voc07_wsod.py'

data_root = 'data/demo/'
metainfo = dict(classes=('ring', 'star', 'cross', 'checker', 'wedge'))
proposal_file = 'proposals.npz'
loading = [
    dict(type='LoadImageFromFile'),
    dict(type='wsl_plugins.LoadWSODProposals', min_side=24),
]
train_pipeline = loading + [
    dict(
        type='wsl_plugins.TransformWithProposals',
        transforms=[
            dict(
                type='RandomChoiceResize',
                scales=[(600, 112), (600, 128), (600, 160)],
                keep_ratio=True,
            ),
            dict(type='RandomFlip', prob=0.5),
        ],
    ),
    dict(type='wsl_plugins.PackWSODInputs'),
]
test_pipeline = loading + [
    dict(
        type='wsl_plugins.TransformWithProposals',
        transforms=[dict(type='Resize', scale=(600, 128), keep_ratio=True)],
    ),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='wsl_plugins.PackWSODInputs'),
]
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        data_root=data_root,
        metainfo=metainfo,
        ann_file='VOC2007/ImageSets/Main/train.txt',
        proposal_file=proposal_file,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=4,
    dataset=dict(
        data_root=data_root, metainfo=metainfo, proposal_file=proposal_file, pipeline=test_pipeline
    ),
)
test_dataloader = val_dataloader
corloc_dataloader = dict(
    val_dataloader,
    dataset=dict(val_dataloader['dataset'], ann_file='VOC2007/ImageSets/Main/train.txt'),
)
