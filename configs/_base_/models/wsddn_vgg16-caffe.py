# VGG16 of Caffe under torchvision's parameter names: BGR, 0-255, only the mean subtracted
_base_ = './wsddn_vgg16.py'

pretrained = dict(type='Pretrained', checkpoint='data/weights/vgg16_caffe.pth')
model = dict(
    data_preprocessor=dict(mean=[103.53, 116.28, 123.675], std=[1.0, 1.0, 1.0], bgr_to_rgb=False),
    backbone=dict(init_cfg=pretrained),
    roi_head=dict(shared_head=dict(init_cfg=pretrained)),
)
