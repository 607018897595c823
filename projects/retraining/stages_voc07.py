# From a WSOD checkpoint to a semi-supervised detector on VOC 2007, for tools/retrain.py: MIST on
# VGG16 as teacher, Faster R-CNN R50 behind it. {NAME} is the result of the stage NAME.
teacher = 'mist/mist_vgg16_voc07'
checkpoint = 'work_dirs/mist_vgg16_voc07/epoch_48.pth'
project = 'projects/retraining'
detector = f'{project}/faster-rcnn_r50_fpn_1x_voc07.py'
soft_teacher = f'{project}/soft-teacher_faster-rcnn_r50_voc07.py'
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
        args=['detections', '{detections}', '--select', 'adaptive']
        + ['--classes', f'{project}/voc.txt', '--data-root', f'{voc}/JPEGImages']
        + ['--eval-voc', voc, '--eval-split', 'trainval'],
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
