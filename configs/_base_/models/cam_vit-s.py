# ViT-S/16 of DeiT: 14 x 14 cells of an image of 224
model = dict(
    type='wsl_plugins.WSOLClassifier',
    backbone=dict(
        type='mmpretrain.VisionTransformer',
        arch='deit-small',
        img_size=224,
        patch_size=16,
        drop_path_rate=0.1,
        out_type='featmap',
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://mmassets.onedl.ai/mmclassification/v0/deit/'
            'deit-small_pt-4xb256_in1k_20220218-9425b9bb.pth',
            prefix='backbone.',
        ),
    ),
    head=dict(type='wsl_plugins.CAMHead', in_channels=384),
)
