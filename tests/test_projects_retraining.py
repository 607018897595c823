"""A detector of mmdet on pseudo boxes: the config's data, head and metric through the Runner."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from wsl_plugins.models.roi_heads import RoIDropBBoxHead
from wsl_plugins.pseudo_boxes import PseudoBoxFile
from wsl_plugins.pseudo_boxes.exchange import onto, write_boxes
from wsl_plugins.pseudo_boxes.tool_files import read_boxes

CONFIG = Path(__file__).parents[1] / 'projects/retraining/faster-rcnn_r50_fpn_1x_voc07.py'
OBJECT = '<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax>'
OBJECT += '<ymax>{}</ymax></bndbox><difficult>0</difficult></object>'


@pytest.fixture
def cfg(tmp_path):
    """The config with narrow layers, on four images; those with pseudo boxes are not those of VOC's
    list."""
    cfg = Config.fromfile(CONFIG)
    voc = tmp_path / 'VOC2007'
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (voc / folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(4):
        picture = rng.integers(256, size=(96, 128, 3), dtype=np.uint8)
        cv2.imwrite(str(voc / f'JPEGImages/{number:06d}.jpg'), picture)
    for number in (2, 3):
        size = '<size><width>128</width><height>96</height><depth>3</depth></size>'
        text = f'<annotation>{size}{OBJECT.format("dog", 9, 9, 60, 60)}</annotation>'
        (voc / f'Annotations/{number:06d}.xml').write_text(text)
    (voc / 'ImageSets/Main/test.txt').write_text('000002\n000003\n')
    boxes = [(np.array([8.0, 8, 60, 60]), 11, 0.9), (np.array([70.0, 20, 120, 90]), 6, 0.4)]
    rows = {'000000.jpg': boxes, '000001.jpg': boxes[:1]}
    pseudo = PseudoBoxFile.from_rows(dict.fromkeys(rows, (128, 96)), rows, names(cfg), {})
    (tmp_path / 'pseudo_boxes').mkdir()
    pseudo.save(tmp_path / 'pseudo_boxes/voc07_trainval.json')
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.dataset.data_root = f'{tmp_path}/'
        loader.num_workers, loader.persistent_workers = 0, False
        loader.dataset.pipeline = [
            dict(step, scale=(128, 96)) if step['type'] == 'Resize' else step
            for step in loader.dataset.pipeline
        ]
    cfg.merge_from_dict(
        dict(
            model=dict(
                backbone=dict(depth=18, base_channels=4, frozen_stages=0, init_cfg=None),
                neck=dict(in_channels=[4, 8, 16, 32], out_channels=16),
                rpn_head=dict(in_channels=16, feat_channels=16),
                roi_head=dict(
                    bbox_roi_extractor=dict(out_channels=16),
                    bbox_head=dict(in_channels=16, fc_out_channels=16),
                ),
            ),
            train_cfg=dict(max_epochs=1),
            work_dir=str(tmp_path / 'work'),
        )
    )
    return cfg


def names(cfg):
    return dict(enumerate(cfg.classes))


def test_trains_and_validates(cfg):
    runner = Runner.from_cfg(cfg)
    assert isinstance(runner.model.roi_head.bbox_head, RoIDropBBoxHead)
    dataset = runner.train_dataloader.dataset
    infos = [dataset.get_data_info(n) for n in range(len(dataset))]
    assert [[i['bbox_label'] for i in info['instances']] for info in infos] == [[11, 6], [11]]
    assert infos[0]['instances'][0]['bbox'] == [8, 8, 60, 60]
    assert runner.val_dataloader.dataset.metainfo['classes'] == tuple(cfg.classes)
    runner.train()
    (log,) = Path(cfg.work_dir).glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert 'pascal_voc/mAP' in lines[-1]
    scalars = runner.message_hub.log_scalars
    assert 0 <= scalars['train/roi_dropped'].current() < 1
    assert np.isfinite(scalars['train/loss'].current())


def test_trains_on_corrected_and_pseudo_boxes(cfg):
    """An image of each: those of the first come back from an annotation tool."""
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
