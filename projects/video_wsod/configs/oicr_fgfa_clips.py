# The same with the features of four neighbouring frames, two of them drawn in training
_base_ = './oicr_clips.py'

model = dict(
    type='FGFAFastRCNN',
    data_preprocessor=dict(type='ClipDataPreprocessor'),
    motion=dict(type='FlowFromFile', root='data/clips/Flow/VID'),
    aggregator=dict(type='EmbedAggregator', in_channels=32, embed_channels=(32, 32, 64)),
)
meta_keys = (
    *('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip', 'flip_direction'),
    'neighbors',
)
pack = dict(type='wsl_plugins.PackWSODInputs', meta_keys=meta_keys)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadFrames', reach=2, num_sampled=2),
            *_base_.train_pipeline[1:-1],
            pack,
        ]
    )
)
val_dataloader = dict(
    dataset=dict(
        pipeline=[dict(type='LoadFrames', reach=2), *_base_.test_pipeline[1:-1], pack],
    )
)
test_dataloader = val_dataloader
