# ResNet-50 with dilated conv5 on the image (stride 16), two small fully connected layers per
# proposal, WSDDN head. Cheap per proposal, but coarse: a small box has the features of its
# surroundings, and MIL tends to pick such boxes.
_base_ = './wsddn_r50-c4.py'

model = dict(
    backbone=dict(num_stages=4, strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2), out_indices=(3,)),
    roi_head=dict(
        in_channels=1024,
        bbox_roi_extractor=dict(roi_layer=dict(output_size=7), out_channels=2048),
        shared_head=dict(
            _delete_=True,
            type='wsl_plugins.FCSharedHead',
            in_channels=2048,
            fc_channels=(1024, 1024),
        ),
    ),
)
