# The generated data set of tools/make_demo_dataset.py: small images, five classes told apart by a
# small part.
_base_ = './voc07_wsod.py'

data_root = 'data/demo/'
metainfo = dict(classes=('ring', 'star', 'cross', 'checker', 'wedge'))
proposal_file = 'proposals.npz'
scales = [(600, 112), (600, 128), (600, 144)]
loading = [
    dict(type='LoadImageFromFile'),
    # Objects are 48-115 pixels long. A small box on the part alone tells the class as well as the
    # whole object does; every object still has proposals of this size.
    dict(type='wsl_plugins.LoadWSODProposals', min_side=32),
]
train_pipeline = loading + [
    dict(
        type='wsl_plugins.TransformWithProposals',
        transforms=[
            dict(type='RandomChoiceResize', scales=scales[1:], keep_ratio=True),
            # objects lie at every angle, so each flip is as likely an image as the original
            dict(
                type='RandomFlip',
                prob=[0.25, 0.25, 0.25],
                direction=['horizontal', 'vertical', 'diagonal'],
            ),
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
# the views of VOC with these proposals and at these scales
tta_pipeline = loading + _base_.tta_pipeline[-1:]
tta_pipeline[-1]['transforms'][0] = [
    dict(
        type='wsl_plugins.TransformWithProposals',
        transforms=[dict(type='Resize', scale=scale, keep_ratio=True)],
    )
    for scale in scales
]
train_dataloader = dict(
    batch_size=2,
    dataset=dict(
        data_root=data_root,
        metainfo=metainfo,
        ann_file='VOC2007/ImageSets/Main/train.txt',
        proposal_file=proposal_file,
        pipeline=train_pipeline,
    ),
)
# one image at a time, as of VOC: beside larger ones it would be padded, which changes its features
val_dataloader = dict(
    batch_size=1,
    dataset=dict(
        data_root=data_root, metainfo=metainfo, proposal_file=proposal_file, pipeline=test_pipeline
    ),
)
test_dataloader = val_dataloader
corloc_dataloader = dict(
    val_dataloader,
    dataset=dict(val_dataloader['dataset'], ann_file='VOC2007/ImageSets/Main/train.txt'),
)
