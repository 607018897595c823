# Grad-CAM: a plain classifier, its maps by the gradients at layer4
_base_ = 'cam_demo.py'
model = dict(
    type='wsl_plugins.GradCAMClassifier',
    target_layer='backbone.layer4',
    neck=dict(type='GlobalAveragePooling'),
    head=dict(_delete_=True, type='LinearClsHead', num_classes=5, in_channels=128),
)
