# ViT-S/16 of timm: 14 x 14 cells of an image of 224; any other size of image will do as well.
# Weights: a file of timm, converted with --from timm --for-init (docs/weights.md)
model = dict(
    type='wsl_plugins.WSOLClassifier',
    backbone=dict(
        type='wsl_plugins.TimmBackbone',
        model_name='vit_small_patch16_224',
        dynamic_img_size=True,
        dynamic_img_pad=True,
        init_cfg=dict(type='Pretrained', checkpoint='data/weights/timm_vit-s16.pth'),
    ),
    head=dict(type='wsl_plugins.CAMHead', in_channels=384),
)
