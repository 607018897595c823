# For two cores, VOC 2007 train and val: OICR on a frozen EfficientNet-Lite0 as teacher
# (4 epochs: projects/voc07_rows/README.md), Fast R-CNN on the same network behind it, Soft Teacher.
teacher = 'oicr/oicr_lite0-context_voc07-train'
checkpoint = 'work_dirs/oicr_lite0-context_voc07-train/epoch_4.pth'
project = 'projects/retraining'
detector = f'{project}/fast-rcnn_lite0-context_voc07-train.py'
soft_teacher = f'{project}/soft-teacher_fast-rcnn_lite0-context_voc07-train.py'
voc = 'data/VOCdevkit/VOC2007'
boxes = {'train_dataloader.dataset.ann_file': '{boxes}'}
parts = {
    'train_dataloader.dataset.datasets.0.ann_file': '{split}/labelled.json',
    'train_dataloader.dataset.datasets.1.ann_file': '{split}/unlabelled.json',
}

stages = [
    dict(name='teacher', tool='test', args=[f'{teacher}.py', checkpoint]),
    dict(name='detections', tool='test', args=[f'{teacher}_corloc.py', checkpoint]),
    dict(
        name='boxes',
        tool='pseudo-boxes',
        args=['detections', '{detections}', '--select', 'threshold']
        + ['--classes', f'{project}/voc.txt', '--data-root', f'{voc}/JPEGImages']
        + ['--eval-voc', voc, '--eval-split', 'train'],
    ),
    dict(name='training', tool='train', args=[detector], cfg_options=boxes),
    dict(name='retrained', tool='test', args=[detector, '{training}']),
    dict(name='split', tool='split-images', args=[detector, '{training}'], cfg_options=boxes),
    dict(
        name='semi-training',
        tool='train',
        args=[soft_teacher],
        cfg_options=dict(parts, load_from='{training}'),
    ),
    dict(name='semi', tool='test', args=[soft_teacher, '{semi-training}']),
]
compare = ['teacher', 'retrained', 'semi']
