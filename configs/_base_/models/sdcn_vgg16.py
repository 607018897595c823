# OICR on VGG16, with the segmentation branch on conv3 to conv5 and a ResNet-101 as the adversarial
# classifier, whose weights are those of stage 1
_base_ = './wsddn_vgg16.py'

model = dict(
    type='wsl_plugins.SDCN',
    backbone=dict(out_indices=(2, 3, 4)),
    roi_head=dict(
        type='wsl_plugins.SDCNRoIHead',
        refine_head=dict(type='wsl_plugins.RefinementHead'),
        sampler=dict(type='wsl_plugins.OICRSampler'),
        refine_loss_weights=(1.0, 1.0, 1.0),
    ),
    seg_head=dict(type='wsl_plugins.SegCollabHead', in_channels=(256, 512, 512), num_classes=20),
    classifier=dict(
        type='wsl_plugins.MaskedClassifier',
        mask_after='backbone.layer3',
        classifier=dict(
            type='wsl_plugins.WSOLClassifier',
            data_preprocessor=dict(num_classes=20),
            backbone=dict(type='mmpretrain.ResNet', depth=101, frozen_stages=1, norm_eval=True),
            neck=dict(type='mmpretrain.GlobalAveragePooling'),
            head=dict(type='mmpretrain.MultiLabelLinearClsHead', num_classes=20, in_channels=2048),
        ),
    ),
)
