"""The config of a prepared data set: a short file that inherits from those of this repository."""

import math
import os
from pathlib import Path
from pprint import pformat
from string import Template

from wsl_plugins.config_names import PREFIX

SCRATCH = 'none'
LITE0 = 'efficientnet-lite0'
OWN_BASE = (SCRATCH, LITE0)  # other weights are those of a ResNet-18
# base; images seen in training by it (epochs x images); its epochs, which are the fewest
BASES = {
    ('detector', None): ('oicr/oicr_r18_voc07-train600.py', 6000, 10),
    ('detector', LITE0): ('oicr/oicr_lite0_voc07-train600.py', 6000, 10),
    ('detector', SCRATCH): ('oicr/oicr_demo.py', 2400, 12),
    ('localizer', None): ('wsol/cam/cam_resnet18_cub27.py', 6750, 10),
    ('localizer', LITE0): ('wsol/cam/cam_lite0_cub27.py', 6750, 10),
    ('localizer', SCRATCH): ('wsol/cam/cam_demo.py', 3000, 10),
}
MOST_EPOCHS = 100

HEAD = Template("""\
# $train training and $test test images of $count classes. The last checkpoint is the one to take:
# nothing is chosen on the test images.
_base_ = $base

data_root = '{{ fileDirname }}/'  # the folder of this file
classes = $classes
epochs = $epochs  # at least 2
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
        pipeline=_base_.train_pipeline,
    )
)
test_data = dict(
    data,
    ann_file='annotations/test.json',
    data_prefix=dict(img='images/test/'),
    proposal_file='proposals_test.npz',
    $test_mode,
    pipeline=_base_.test_pipeline,
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


def config_text(
    task: str,
    folder: Path,
    configs: Path,
    classes: list[str],
    images: tuple[int, int],
    boxes: bool,
    weights: str,
) -> str:
    """Text of the config.

    Args:
        task (str): 'detector' (OICR) or 'localizer' (CAM).
        folder (Path): Where the config will lie, beside the prepared data.
        configs (Path): Folder of the configs of this repository. The base is named by a relative
            path if ``folder`` lies in the repository, by ``wsl_plugins::`` if they are those of an
            installed wheel, else by an absolute path.
        classes (list[str]): Names of the classes.
        images (tuple[int, int]): Number of training and of test images.
        boxes (bool): Whether the test images have boxes.
        weights (str): 'efficientnet-lite0'; or checkpoint of a ResNet-18 with torchvision's names,
            a path or address; or 'none': the small network for generated images, from scratch.
    """
    named = weights in OWN_BASE  # the base has these weights
    name, seen, fewest = BASES[task, weights if named else None]
    base = (configs / name).resolve()
    if configs.resolve().parent.name == '.mim':
        base = PREFIX + name
    elif folder.resolve().is_relative_to(base.parents[len(Path(name).parts)]):
        base = os.path.relpath(base, folder.resolve())
    text = HEAD.substitute(
        train=images[0],
        test=images[1],
        count=len(classes),
        base=repr(str(base)),
        classes=pformat(tuple(classes), width=90, compact=True),
        epochs=min(max(math.ceil(seen / images[0]), fewest), MOST_EPOCHS),
    )
    if task == 'detector':
        return text + DETECTOR.substitute(
            test_mode=TEST_BOXES if boxes else TEST_LABELS,
            evaluation=EVALUATION_BOXES if boxes else EVALUATION_LABELS,
            model=DETECTOR_CLASSES
            if named
            else DETECTOR_PRETRAINED.substitute(weights=repr(weights)),
            schedule=COSINE if weights == SCRATCH else STEPS,
        )
    pretrained = f'dict(type="Pretrained", checkpoint={weights!r})'.replace('"', "'")
    return text + LOCALIZER.substitute(
        require=repr('boxes' if boxes else None),
        metrics=BOX_METRICS * boxes + ACCURACY,
        backbone='' if named else f'\n    backbone=dict(init_cfg={pretrained}),\n    ',
    )
