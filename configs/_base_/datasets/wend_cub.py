# CUB-200-2011 for binary-class detectors, with the pseudo boxes of tools/make_pseudo_boxes.py.
# Metadata: docs/wsol_data.md. Validation on train-fullsup chooses everything; test is for the last
# number. Images as in appendix A of WEND (ACM MM 2023).
dataset_type = 'wsl_plugins.PseudoBoxDetDataset'
data = dict(
    type=dataset_type,
    data_root='data/',
    data_prefix='CUB_200_2011/images',
    metadata_root='wsol_metadata/CUB',
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(256, 256), keep_ratio=False),
    # a box is cut at the border of the crop; one wholly outside goes, and an image may keep none
    dict(type='RandomCrop', crop_size=(224, 224), allow_negative_crop=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
# what wsl_plugins.DetLocAccuracy and wsl_plugins.DumpLocalization read
meta_keys = (
    'img_id',
    'img_path',
    'ori_shape',
    'img_shape',
    'scale_factor',
    'crop_offset',
    'image_id',
    'image_size',
    'gt_label',
    'gt_boxes',
)
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(256, 256), keep_ratio=False),
    dict(type='wsl_plugins.FixedCrop', crop_size=224),
    dict(type='PackDetInputs', meta_keys=meta_keys),
]

# 256 images in all, as published; on four GPUs set 64
train_dataloader = dict(
    batch_size=256,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        data,
        split='train-weaksup',
        box_file='pseudo_boxes/CUB_ddt-vgg16.json',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        data, split='train-fullsup', require='boxes', test_mode=True, pipeline=test_pipeline
    ),
)
test_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(data, split='test', require='boxes', test_mode=True, pipeline=test_pipeline),
)
# Top-1 and Top-5 Loc: classes='FILE.json' of a classifier's test run with DumpLocalization
val_evaluator = dict(type='wsl_plugins.DetLocAccuracy')
test_evaluator = val_evaluator
