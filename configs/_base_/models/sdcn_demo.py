# The small network of the generated data set with its parts for training. The classifier is masked
# behind its first stage (stride 4), where the maps of the segmentation branch keep their detail.
_base_ = './wsddn_demo.py'

model = dict(
    type='wsl_plugins.SDCN',
    roi_head=dict(
        type='wsl_plugins.SDCNRoIHead',
        refine_head=dict(type='wsl_plugins.RefinementHead', normalize_weights=True),
    ),
    seg_head=dict(type='wsl_plugins.SegCollabHead', in_channels=(64,), num_classes=5, channels=128),
    classifier=dict(
        type='wsl_plugins.MaskedClassifier',
        mask_after='backbone.layer1',
        classifier=dict(
            type='wsl_plugins.WSOLClassifier',
            data_preprocessor=dict(num_classes=5),
            backbone=dict(
                type='mmpretrain.ResNet',
                depth=18,
                stem_channels=16,
                base_channels=16,
                norm_eval=True,
            ),
            neck=dict(type='mmpretrain.GlobalAveragePooling'),
            head=dict(type='mmpretrain.MultiLabelLinearClsHead', num_classes=5, in_channels=128),
        ),
    ),
)
