"""The parts of the config of a prepared data set."""

from string import Template

HEAD = Template("""\
# $train training and $test test images of $count classes. The last checkpoint is the one to take:
# none is chosen on the test images.
_base_ = $base

data_root = '{{ fileDirname }}/'  # the folder of this file
classes = $classes
epochs = $epochs  # at least 2
""")

# assessment.md says why
_PROPOSALS = """\
test_scale = $test_scale
# of the proposals: narrower and lower ones (pixels of the image files) are left out, then those of
# lowest score
min_side = $min_side
max_num = $max_num

train_pipeline = _base_.train_pipeline
train_pipeline[1].update(min_side=min_side$train_num)
"""
_TEST = """\
test_pipeline = _base_.test_pipeline
test_pipeline[1].update(min_side=min_side, max_num=$test_num)
test_pipeline[2]['transforms'][0].update(scale=(2000, test_scale))
"""
SCALE = Template(f"""\
train_scale = $scales  # shorter side of the images at the input
{_PROPOSALS}\
train_pipeline[2]['transforms'][0].update(scale=(2000, train_scale))
{_TEST}""")
SCALES = Template(f"""\
scales = $scales  # shorter sides of the images at the input, in training
{_PROPOSALS}\
train_pipeline[2]['transforms'][0].update(scales=[(2000, side) for side in scales])
{_TEST}\
tta_pipeline = test_pipeline[:2] + _base_.tta_pipeline[-1:]
tta_pipeline[-1]['transforms'][0] = [
    dict(
        type='wsl_plugins.TransformWithProposals',
        transforms=[dict(type='Resize', scale=(2000, side), keep_ratio=True)],
    )
    for side in $tta_scales
]
""")

DETECTOR = Template("""
data = dict(
    type='wsl_plugins.WSODCocoDataset', data_root=data_root, metainfo=dict(classes=classes)
)
train_dataloader = dict(
    dataset=dict(
        data,
        _delete_=True,
        ann_file='annotations/train.json',  # image labels, no boxes
        data_prefix=dict(img='images/train/'),
        proposal_file='proposals_train.npz',
        pipeline=train_pipeline,
    )
)
test_data = dict(
    data,
    ann_file='annotations/test.json',
    data_prefix=dict(img='images/test/'),
    proposal_file='proposals_test.npz',
    $test_mode,
    pipeline=test_pipeline,
)
test_dataloader = dict(dataset=dict(test_data, _delete_=True))
$evaluation
$model
train_cfg = dict(max_epochs=epochs, val_interval=max(1, epochs // 5), dynamic_intervals=None)
$schedule
""")
TEST_BOXES = 'test_mode=True'
TEST_LABELS = 'filter_cfg=dict(filter_empty_gt=False)'  # not in test mode: no box is asked for
EVALUATION_BOXES = """\
val_dataloader = dict(dataset=dict(test_data, _delete_=True))
val_evaluator = dict(eval_mode='area')
test_evaluator = [
    dict(type='wsl_plugins.WSODVOCMetric', eval_mode='area'),
    dict(type='wsl_plugins.WSODCocoMetric'),
]
"""
EVALUATION_LABELS = """\
# There are no boxes to compare with: tools/test.py --out FILE.pkl keeps the detections.
val_dataloader = None
val_evaluator = None
val_cfg = None
test_evaluator = []
"""
DETECTOR_PRETRAINED = Template("""\
pretrained = dict(type='Pretrained', checkpoint=$weights)
shared_head = _base_.model.roi_head.shared_head
shared_head[0]['init_cfg'] = pretrained
model = dict(
    backbone=dict(init_cfg=pretrained),
    roi_head=dict(num_classes=len(classes), shared_head=shared_head),
)
""")
DETECTOR_CLASSES = """\
model = dict(roi_head=dict(num_classes=len(classes)))
"""
STEPS = """\
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(type='MultiStepLR', by_epoch=True, milestones=[round(0.7 * epochs)], gamma=0.1),
]"""
COSINE = """\
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=1, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        T_max=epochs - 1,
        begin=1,
        end=epochs,
        convert_to_iter_based=True,
    ),
]"""

CORLOC = Template("""\
# CorLoc: the top box of each class on the training images, whose boxes training does not read.
#   test:   tools/test.py THIS CHECKPOINT
#   report: tools/report.py work_dirs/$name (CorLoc, error modes, best and worst images)
_base_ = './$name.py'

work_dir = './work_dirs/$name/corloc'
test_pipeline = _base_.test_pipeline
test_pipeline[1].update(max_num=_base_.max_num)
test_pipeline[2]['transforms'][0].update(scale=(2000, $scale))
model = dict(test_cfg=dict(rcnn=dict(score_thr=0.0, max_per_img=-1)))
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='wsl_plugins.WSODCocoDataset',
        data_root=_base_.data_root,
        metainfo=dict(classes=_base_.classes),
        ann_file='annotations/train_boxes.json',
        data_prefix=dict(img='images/train/'),
        proposal_file='proposals_train.npz',
        test_mode=True,
        pipeline=test_pipeline,
    )
)
test_evaluator = [
    dict(type='wsl_plugins.CorLocMetric'),
    dict(type='wsl_plugins.DumpPredictions', out_file_path=work_dir + '/results.pkl', topk=1),
]
""")
LOCALIZER = Template("""
data = dict(data_root=data_root, data_prefix='images', metadata_root='metadata')
train_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=dict(data, split='test', require=$require))
val_dataloader = test_dataloader
val_evaluator = [
$metrics]
test_evaluator = val_evaluator

data_preprocessor = dict(num_classes=len(classes))
model = dict(${backbone}head=dict(num_classes=len(classes)))
train_cfg = dict(max_epochs=epochs, val_interval=max(1, epochs // 5))
param_scheduler = dict(milestones=[round(0.6 * epochs), round(0.9 * epochs)])
default_hooks = dict(checkpoint=dict(save_best=None))
""")
BOX_METRICS = """\
    dict(type='wsl_plugins.MaxBoxAcc'),
    dict(type='wsl_plugins.LocAccuracy'),
"""
ACCURACY = """\
    dict(type='mmpretrain.Accuracy'),
"""
