# 27 classes of CUB, 675 training images, from PQF weights of ImageNet
_base_ = 'classifier_resnet50_cub.py'
data_preprocessor = dict(num_classes=27)
model = dict(
    backbone=dict(depth=18, init_cfg=dict(checkpoint='data/weights/resnet18_pqf.pth')),
    head=dict(num_classes=27, in_channels=512),
)
data = dict(metadata_root='wsol_metadata/CUB27')
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
