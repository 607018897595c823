# The clips of make_clips.py, one frame at a time; 128 x 128 pixels.
dataset = dict(
    type='WSODVIDDataset',
    data_root='data/clips/',
    metainfo=dict(classes=('ring', 'star', 'cross', 'checker', 'wedge')),
)
loading = [dict(type='LoadImageFromFile'), dict(type='wsl_plugins.LoadWSODProposals', min_side=24)]
augment = dict(
    type='wsl_plugins.TransformWithProposals',
    transforms=[
        dict(type='Resize', scale=(128, 128)),
        dict(
            type='RandomFlip',
            prob=[0.25, 0.25, 0.25],
            direction=['horizontal', 'vertical', 'diagonal'],
        ),
    ],
)
keep = dict(
    type='wsl_plugins.TransformWithProposals',
    transforms=[dict(type='Resize', scale=(128, 128))],
)
train_pipeline = loading + [augment, dict(type='wsl_plugins.PackWSODInputs')]
test_pipeline = loading + [
    keep,
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='wsl_plugins.PackWSODInputs'),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        dataset,
        ann_file='ImageSets/VID_train_keyframes.txt',
        proposal_file='proposals/train.npz',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=0,
    persistent_workers=False,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        dataset,
        ann_file='ImageSets/VID_val_frames.txt',
        proposal_file='proposals/val.npz',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
lists = 'data/clips/ImageSets/VID_val_frames'
val_evaluator = dict(
    type='VIDMetric',
    subsets=dict(
        clean=f'{lists}_clean.txt',
        blur=f'{lists}_blur.txt',
        noise=f'{lists}_noise.txt',
        occlusion=f'{lists}_occlusion.txt',
    ),
)
test_evaluator = val_evaluator
