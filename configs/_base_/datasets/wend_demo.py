# Generated images with one to three objects, to study wrong pseudo boxes; 96 pixels.
#   python tools/make_wsol_demo.py --out data/wend_demo --objects 1 3 --train-boxes
#   python tools/make_noisy_boxes.py --metadata-root data/wend_demo/metadata_train_boxes \
#       --split train-weaksup --wrong 0.2 --out data/wend_demo/pseudo_boxes.json
# The objects keep away from the centre, so that the whole image is tested, not a crop.
_base_ = './wend_cub.py'

data = dict(data_root='data/wend_demo/', data_prefix='images', metadata_root='metadata')
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(104, 104), keep_ratio=False),
    dict(type='RandomCrop', crop_size=(96, 96), allow_negative_crop=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(96, 96), keep_ratio=False),
    dict(type='PackDetInputs', meta_keys=_base_.meta_keys),
]
loader = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(
    loader,
    batch_size=32,
    dataset=dict(data, box_file='pseudo_boxes.json', pipeline=train_pipeline),
)
val_dataloader = dict(loader, dataset=dict(data, pipeline=test_pipeline))
test_dataloader = dict(loader, dataset=dict(data, pipeline=test_pipeline))
