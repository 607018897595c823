# Swin-T; its last maps have a stride of 32: 7 x 7 cells of an image of 224
model = dict(
    type='wsl_plugins.WSOLClassifier',
    backbone=dict(
        type='mmpretrain.SwinTransformer',
        arch='tiny',
        img_size=224,
        drop_path_rate=0.2,
        pad_small_map=True,  # of images below 224
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://mmassets.onedl.ai/mmclassification/v0/swin-transformer/'
            'swin_tiny_224_b16x64_300e_imagenet_20210616_090925-66df6be6.pth',
            prefix='backbone.',
        ),
    ),
    head=dict(type='wsl_plugins.CAMHead', in_channels=768),
)
