# ConvNeXt-T; its last maps have a stride of 32: 7 x 7 cells of an image of 224
model = dict(
    type='wsl_plugins.WSOLClassifier',
    backbone=dict(
        type='mmpretrain.ConvNeXt',
        arch='tiny',
        drop_path_rate=0.1,
        gap_before_final_norm=False,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://mmassets.onedl.ai/mmclassification/v0/convnext/'
            'convnext-tiny_32xb128_in1k_20221207-998cf3e9.pth',
            prefix='backbone.',
        ),
    ),
    head=dict(type='wsl_plugins.CAMHead', in_channels=768),
)
