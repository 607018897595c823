# ViT-S/14 of DINOv2, which learns nothing: 16 x 16 cells of an image of 224. The checkpoint is
# mmpretrain's copy of the published weights; another file takes its place by
#   --cfg-options model.backbone.init_cfg.checkpoint=FILE
model = dict(
    type='wsl_plugins.WSOLClassifier',
    backbone=dict(
        type='wsl_plugins.LocalizerViT',
        arch='dinov2-small',
        img_size=518,  # of its position embeddings, which are interpolated to the images
        patch_size=14,
        layer_scale_init_value=1e-5,
        frozen_stages=12,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://mmassets.onedl.ai/mmpretrain/v1.0/dinov2/'
            'vit-small-p14_dinov2-pre_3rdparty_20230426-5641ca5a.pth',
            prefix='backbone.',
        ),
    ),
    head=dict(type='wsl_plugins.TriLiteHead', in_channels=384),
)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01))
