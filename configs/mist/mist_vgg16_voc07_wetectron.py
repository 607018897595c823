# For the models released with MIST (docs/weights.md): images as Caffe's networks see them, BGR
# without their mean, and no ReLU behind conv5_3
_base_ = './mist_vgg16_voc07_released.py'

model = dict(
    data_preprocessor=dict(
        mean=[102.9801, 115.9465, 122.7717], std=[1.0, 1.0, 1.0], bgr_to_rgb=False
    ),
    backbone=dict(last_relu=False),
)
