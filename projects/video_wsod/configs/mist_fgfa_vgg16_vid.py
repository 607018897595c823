# ImageNet VID: MIST and Concrete DropBlock on features of neighbouring frames; schedule of VOC
_base_ = '../../../configs/mist/mist_vgg16_voc07.py'
custom_imports = dict(imports=['wsl_plugins', 'projects.video_wsod.video_wsod'])

model = dict(
    type='FGFAFastRCNN',
    data_preprocessor=dict(type='ClipDataPreprocessor'),
    motion=dict(type='RAFTFlow', weights='data/weights/raft_large_C_T_SKHT_V2-ff5fadd5.pth'),
    aggregator=dict(type='EmbedAggregator', in_channels=512),
    roi_head=dict(num_classes=30),
)
meta_keys = (
    *('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip', 'flip_direction'),
    'neighbors',
)
load_proposals = dict(type='wsl_plugins.LoadWSODProposals', min_side=20)
resize = dict(type='Resize', scale=(1000, 600), keep_ratio=True)
flip = dict(type='RandomFlip', prob=0.5)
pack = dict(type='wsl_plugins.PackWSODInputs', meta_keys=meta_keys)
dataset = dict(_delete_=True, type='WSODVIDDataset', data_root='data/ILSVRC2015/')
train_dataloader = dict(
    dataset=dict(
        dataset,
        ann_file='ImageSets/VID_train_15frames.txt',
        proposal_file='proposals/vid_train_15frames_selective_search.npz',
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=[
            dict(type='LoadFrames', reach=9, num_sampled=2),
            load_proposals,
            dict(type='wsl_plugins.TransformWithProposals', transforms=[resize, flip]),
            pack,
        ],
    )
)
val_dataloader = dict(
    dataset=dict(
        dataset,
        ann_file='ImageSets/VID_val_frames.txt',
        proposal_file='proposals/vid_val_frames_selective_search.npz',
        test_mode=True,
        pipeline=[
            dict(type='LoadFrames', reach=9),
            load_proposals,
            dict(type='wsl_plugins.TransformWithProposals', transforms=[resize]),
            dict(type='LoadAnnotations', with_bbox=True),
            pack,
        ],
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='VIDMetric')
test_evaluator = dict(_delete_=True, type='VIDMetric')
