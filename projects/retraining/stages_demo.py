# After `make demo`: its detector's boxes, a Faster R-CNN on them, a semi-supervised one.
teacher = 'mist/mist_demo'
checkpoint = 'work_dirs/demo/train/epoch_12.pth'
project = 'projects/retraining'
detector = f'{project}/faster-rcnn_r18_demo.py'
soft_teacher = f'{project}/soft-teacher_faster-rcnn_r18_demo.py'
voc = 'data/demo/VOC2007'
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
        args=['detections', '{detections}', '--select', 'adaptive']
        + ['--classes', f'{project}/demo.txt', '--data-root', f'{voc}/JPEGImages']
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
