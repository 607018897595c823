# VOC 2007: pseudo boxes of trainval to learn from, the objects of test to measure with.
# Names that no base of mmdet has, so that it can stand beside one.
classes = (
    'aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike '
    'person pottedplant sheep sofa train tvmonitor'
).split()
voc_root = 'data/VOCdevkit/'
pseudo_boxes = dict(
    data_root=voc_root,
    ann_file='pseudo_boxes/voc07_trainval.json',
    data_prefix=dict(img='VOC2007/JPEGImages/'),
    metainfo=dict(classes=classes),
)
voc_objects = dict(
    type='wsl_plugins.WSODVOCDataset',
    data_root=voc_root,
    ann_file='VOC2007/ImageSets/Main/test.txt',
    data_prefix=dict(sub_data_root='VOC2007/'),
    test_mode=True,
)
voc_metric = dict(type='wsl_plugins.WSODVOCMetric', eval_mode='11points')
