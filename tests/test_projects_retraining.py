"""Detectors of mmdet on pseudo boxes: data, heads and metric of each config through the Runner."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.models.roi_heads import RoIDropBBoxHead
from wsl_plugins.pseudo_boxes import PseudoBoxFile
from wsl_plugins.pseudo_boxes.exchange import onto, write_boxes
from wsl_plugins.pseudo_boxes.tool_files import read_boxes

FOLDER = Path(__file__).parents[1] / 'projects/retraining'
OBJECT = '<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax>'
OBJECT += '<ymax>{}</ymax></bndbox><difficult>0</difficult></object>'
RESNET = dict(depth=18, base_channels=4, frozen_stages=0, init_cfg=None)
FPN = dict(in_channels=[4, 8, 16, 32], out_channels=16)
RPN = dict(in_channels=16, feat_channels=16)
ROI_HEAD = dict(
    bbox_roi_extractor=dict(out_channels=16), bbox_head=dict(in_channels=16, fc_out_channels=16)
)
ONE_LAYER = dict(num_layers=1, layer_cfg=dict(ffn_cfg=dict(feedforward_channels=32)))
NARROW = {
    'fast-rcnn_lite0-context_voc07-train': dict(backbone=dict(init_cfg=None)),
    'fast-rcnn_r50_fpn_1x_voc07': dict(backbone=RESNET, neck=FPN, roi_head=ROI_HEAD),
    'faster-rcnn_r50_fpn_1x_voc07': dict(
        backbone=RESNET, neck=FPN, rpn_head=RPN, roi_head=ROI_HEAD
    ),
    'faster-rcnn_lite0-c4_voc07-train600': dict(backbone=dict(init_cfg=None)),
    'fcos_r50-caffe_fpn_1x_voc07': dict(
        backbone=RESNET,
        neck=dict(FPN, out_channels=32),
        bbox_head=dict(in_channels=32, feat_channels=32),
    ),
    'dino_r50_12e_voc07': dict(
        backbone=RESNET,
        neck=dict(in_channels=[8, 16, 32]),
        num_queries=20,
        encoder=ONE_LAYER,
        decoder=ONE_LAYER,
        dn_cfg=dict(group_cfg=dict(num_dn_queries=10)),
    ),
    'rtmdet_tiny_300e_voc07': dict(
        backbone=dict(widen_factor=0.125, init_cfg=None),
        neck=dict(in_channels=[32, 64, 128], out_channels=16),
        bbox_head=dict(in_channels=16, feat_channels=16),
    ),
}


def smaller(pipeline):
    """A pipeline whose images are of 128 x 96 pixels."""
    steps = []
    for step in pipeline:
        if step['type'] in ('Resize', 'RandomChoice', 'RandomResize'):
            step = dict(type='Resize', scale=(128, 96), keep_ratio=True)
        if 'transforms' in step:
            step = dict(step, transforms=smaller(step['transforms']))
        for key in ('img_scale', 'size', 'crop_size'):
            if key in step:
                step = dict(step, **{key: (96, 96)})
        steps.append(step)
    return steps


@pytest.fixture
def voc(tmp_path):
    """Five images: boxes of two classes, of one and of none to learn from, two to test with."""
    voc = tmp_path / 'VOC2007'
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (voc / folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(5):
        picture = rng.integers(256, size=(96, 128, 3), dtype=np.uint8)
        cv2.imwrite(str(voc / f'JPEGImages/{number:06d}.jpg'), picture)
    for number in (2, 3):
        size = '<size><width>128</width><height>96</height><depth>3</depth></size>'
        text = f'<annotation>{size}{OBJECT.format("dog", 9, 9, 60, 60)}</annotation>'
        (voc / f'Annotations/{number:06d}.xml').write_text(text)
    for name in ('test', 'val', 'val300'):
        (voc / f'ImageSets/Main/{name}.txt').write_text('000002\n000003\n')
    boxes = [(np.array([8.0, 8, 60, 60]), 11, 0.9), (np.array([70.0, 20, 120, 90]), 6, 0.4)]
    near = (np.array([8.0, 8, 60, 58]), 11, 0.8)  # another view of the first
    rows = {'000000.jpg': [*boxes, near], '000001.jpg': boxes[:1], '000004.jpg': []}
    names = dict(enumerate(Config.fromfile(FOLDER / 'voc07_data.py').classes))
    pseudo = PseudoBoxFile.from_rows(dict.fromkeys(rows, (128, 96)), rows, names, {})
    (tmp_path / 'pseudo_boxes').mkdir()
    for name in ('train', 'trainval'):
        pseudo.save(tmp_path / f'pseudo_boxes/voc07_{name}.json')
    (tmp_path / 'proposals').mkdir()
    proposals = dict(bboxes=np.float32([[0, 0, 60, 60], [60, 10, 128, 96], [9, 9, 62, 58]]))
    of_images = {f'JPEGImages/{number:06d}.jpg': proposals for number in (0, 1, 4)}
    (tmp_path / 'proposals/voc2007_trainval.pkl').write_bytes(pickle.dumps(of_images))
    of_images = {f'{number:06d}': proposals['bboxes'] for number in range(5)}
    for name in ('train', 'val', 'test'):
        ProposalFile.from_images(of_images).save(tmp_path / f'proposals/voc2007_{name}.npz')
    return tmp_path


@pytest.fixture
def config(voc):
    """Function: a config with narrow layers on these images."""

    def make(name):
        cfg = Config.fromfile(FOLDER / f'{name}.py')
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
            loader.dataset.data_root = f'{voc}/'
            loader.batch_size, loader.num_workers, loader.persistent_workers = 2, 0, False
            loader.dataset.pipeline = smaller(loader.dataset.pipeline)
        work = str(voc / 'work')
        cfg.merge_from_dict(dict(model=NARROW[name], train_cfg=dict(max_epochs=1), work_dir=work))
        return cfg

    return make


def test_the_configs_are_known():
    others = {'voc07_data', 'demo_data', 'lite0_context_data', 'faster-rcnn_r18_demo'}
    found = {path.stem for path in FOLDER.glob('*.py')}
    assert {name for name in found if not name.startswith(('soft-', 'stages_'))} == {
        *NARROW,
        *others,
    }


def test_trains_and_validates(config):
    cfg = config('faster-rcnn_r50_fpn_1x_voc07')
    runner = Runner.from_cfg(cfg)
    assert isinstance(runner.model.roi_head.bbox_head, RoIDropBBoxHead)
    dataset = runner.train_dataloader.dataset
    assert len(dataset) == 2  # an image without boxes is left out
    assert dataset.get_data_info(0)['instances'][0]['bbox'] == [8, 8, 60, 60]
    labels = [dataset[n]['data_samples'].gt_instances.labels.tolist() for n in (0, 1)]
    assert labels == [[11, 6], [11]]  # without the near duplicate
    assert runner.val_dataloader.dataset.metainfo['classes'] == tuple(cfg.classes)
    runner.train()
    (log,) = Path(cfg.work_dir).glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert 'pascal_voc/mAP' in lines[-1]
    scalars = runner.message_hub.log_scalars
    assert 0 <= scalars['train/roi_dropped'].current() < 1
    assert np.isfinite(scalars['train/loss'].current())


def test_trains_on_corrected_and_pseudo_boxes(config):
    """An image of each: those of the first come back from an annotation tool."""
    cfg = config('faster-rcnn_r50_fpn_1x_voc07')
    path = Path(cfg.train_dataloader.dataset.data_root, 'pseudo_boxes/voc07_trainval.json')
    base = PseudoBoxFile.load(path)
    rows = {'000000.jpg': [((20.0, 20, 90, 90), 11, float('nan'))]}
    new = PseudoBoxFile.from_rows({'000000.jpg': (128, 96)}, rows, base.classes, {})
    write_boxes(new, 'cvat', path.with_name('back.xml'))
    back, _, looked_at = read_boxes(path.with_name('back.xml'), base.sizes, base.classes)
    onto(base, back, looked_at).save(path)
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    runner = Runner.from_cfg(cfg)
    dataset = runner.train_dataloader.dataset
    infos = [dataset.get_data_info(n) for n in range(2)]
    boxes = [[i['bbox'] for i in info['instances']] for info in infos]
    assert boxes == [[[20, 20, 90, 90]], [[8, 8, 60, 60]]]
    runner.train()
    assert np.isfinite(runner.message_hub.log_scalars['train/loss'].current())


@pytest.mark.parametrize('name', NARROW)
def test_steps_without_any_box(config, name):
    """Boxes of no image are left: a step with images that have none, then one with some."""
    cfg = config(name)
    cfg.train_dataloader.dataset.filter_cfg = dict(filter_empty_gt=False)
    runner = Runner.from_cfg(cfg)
    model, loader = runner.model, runner.train_dataloader
    model.train()
    data = [loader.dataset[index] for index in (2, 2, 0, 1)]
    wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    for items, boxes in ((data[:2], False), (data[2:], True)):
        batch = loader.collate_fn(items)
        if name != 'rtmdet_tiny_300e_voc07':  # whose mosaics mix images
            counts = [len(sample.gt_instances) for sample in batch['data_samples']]
            assert (sum(counts) > 0) == boxes
        losses = model.train_step(batch, wrapper)
        assert all(torch.isfinite(loss).all() for loss in losses.values()), losses
        assert all(torch.isfinite(p).all() for p in model.parameters())
    sample = runner.val_dataloader.dataset[0]['data_samples']
    assert sample.gt_instances.bboxes.tensor.tolist() == [[8, 8, 60, 60]]  # of the file's pixels
    assert sample.gt_instances.labels.tolist() == [11]


def test_boxes_for_a_second_round(config, voc):
    """Detections of the student of two cores are of images whose labels are known."""
    cfg = config('fast-rcnn_lite0-context_voc07-train')
    out = voc / 'predictions.pkl'
    cfg.test_evaluator = [
        cfg.test_evaluator,
        dict(type='wsl_plugins.DumpPredictions', out_file_path=str(out)),
    ]
    Runner.from_cfg(cfg).test()
    args = ['detections', out, '--select', 'threshold', '--score-thr', '0']
    args += ['--classes', FOLDER / 'voc.txt', '--data-root', voc / 'VOC2007/JPEGImages']
    command = [sys.executable, FOLDER.parents[1] / 'tools/make_pseudo_boxes.py', *args]
    subprocess.run([*map(str, command), '--out', str(voc / 'boxes.json')], check=True)
    boxes = json.loads((voc / 'boxes.json').read_text())
    assert {row['category_id'] for row in boxes['annotations']} == {11}  # dog
    assert len(boxes['images']) == 2
