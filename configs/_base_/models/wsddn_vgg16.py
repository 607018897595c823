# VGG16 with stride 8, RoI pooling, fc6 and fc7 per proposal (ImageNet weights), WSDDN head
model = dict(
    type='FastRCNN',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    backbone=dict(
        type='wsl_plugins.DilatedVGG',
        depth=16,
        frozen_stages=2,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://vgg16'),
    ),
    roi_head=dict(
        type='wsl_plugins.WSODRoIHead',
        in_channels=4096,
        num_classes=20,
        bbox_roi_extractor=dict(
            type='wsl_plugins.SingleRoIExtractor',
            roi_layer=dict(type='wsl_plugins.RoIPool', output_size=7),
            out_channels=512,
            featmap_strides=[8],
        ),
        shared_head=dict(
            type='wsl_plugins.FCSharedHead',
            init_cfg=dict(type='Pretrained', checkpoint='torchvision://vgg16'),
        ),
        mil_head=dict(type='wsl_plugins.WSDDNHead'),
    ),
    train_cfg=None,
    test_cfg=dict(
        rcnn=dict(score_thr=1e-5, nms=dict(type='nms', iou_threshold=0.3), max_per_img=100)
    ),
)
tta_model = dict(type='wsl_plugins.WSODTTAModel')
