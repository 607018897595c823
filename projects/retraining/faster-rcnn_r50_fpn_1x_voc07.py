_base_ = 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'

classes = (
    'aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike '
    'person pottedplant sheep sofa train tvmonitor'
).split()
model = dict(
    roi_head=dict(bbox_head=dict(type='wsl_plugins.RoIDropBBoxHead', num_classes=len(classes)))
)
data_root = 'data/VOCdevkit/'
train_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file='pseudo_boxes/voc07_trainval.json',
        data_prefix=dict(img='VOC2007/JPEGImages/'),
        metainfo=dict(classes=classes),
    )
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='VOCDataset',
        data_root=data_root,
        ann_file='VOC2007/ImageSets/Main/test.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        test_mode=True,
        pipeline={{_base_.test_pipeline}},
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='VOCMetric', metric='mAP', eval_mode='11points')
test_evaluator = val_evaluator
