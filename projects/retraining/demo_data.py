# The generated data set of `make demo`, and a small network that learns from scratch on it.
demo_classes = ('ring', 'star', 'cross', 'checker', 'wedge')
demo_root = 'data/demo/'
demo_resize = dict(type='Resize', scale=(600, 128), keep_ratio=True)
demo_boxes = dict(
    data_root=demo_root,
    ann_file='pseudo_boxes.json',
    data_prefix=dict(img='VOC2007/JPEGImages/'),
    metainfo=dict(classes=demo_classes),
)
demo_objects = dict(data_root=demo_root, metainfo=dict(classes=demo_classes))
small = dict(
    backbone=dict(
        depth=18,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(2,),
        frozen_stages=-1,
        norm_eval=False,
        zero_init_residual=False,
        init_cfg=None,
    ),
    neck=None,
    rpn_head=dict(
        in_channels=256,
        feat_channels=128,
        anchor_generator=dict(scales=[3, 5, 8], strides=[16]),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=256, featmap_strides=[16]),
        bbox_head=dict(in_channels=256, fc_out_channels=256, num_classes=5),
    ),
)
