"""``mist_vgg16_voc07_released`` counts steps: data, checkpoints, validation, rates and resuming."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.runner import Runner

sys.path.insert(0, str(Path(__file__).parent))
from reduced import reduced_config

from wsl_plugins.proposals import ProposalFile

XML = """<annotation><size><width>80</width><height>60</height><depth>3</depth></size>
<object><name>cat</name><difficult>0</difficult><bndbox><xmin>5</xmin><ymin>5</ymin>
<xmax>60</xmax><ymax>50</ymax></bndbox></object>
<object><name>dog</name><difficult>1</difficult><bndbox><xmin>1</xmin><ymin>1</ymin>
<xmax>30</xmax><ymax>30</ymax></bndbox></object></annotation>"""


@pytest.fixture
def voc(tmp_path):
    """Three images with a cat and a difficult dog; boxes from one pixel to the whole image."""
    root = tmp_path / 'VOCdevkit'
    boxes = [[4, 4, 60, 50], [0, 0, 80, 60], [3, 3, 5, 5], [3, 3, 4, 9], [20, 10, 44, 30]]
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (root / 'VOC2007' / folder).mkdir(parents=True)
    ids = ['000001', '000002', '000003']
    for number, stem in enumerate(ids):
        noise = np.random.default_rng(number).integers(0, 256, (60, 80, 3), dtype=np.uint8)
        cv2.imwrite(str(root / 'VOC2007' / 'JPEGImages' / f'{stem}.jpg'), noise)
        (root / 'VOC2007' / 'Annotations' / f'{stem}.xml').write_text(XML)
    for split in ('trainval', 'test'):
        (root / 'VOC2007' / 'ImageSets' / 'Main' / f'{split}.txt').write_text('\n'.join(ids))
        path = root / 'proposals' / f'voc2007_{split}_selective_search.npz'
        path.parent.mkdir(exist_ok=True)
        ProposalFile.from_images({stem: boxes for stem in ids}).save(path)
    return root


def runner_for(voc, folder, steps, **changes):
    """The runner of the config for a few steps, small images, without loading processes."""
    cfg = reduced_config('mist_vgg16_voc07_released', changes)
    cfg.train_dataloader.dataset.pipeline[2].transforms[0].scales = [(200, 90)]
    cfg.val_dataloader.dataset.pipeline[2].transforms[0].scale = (200, 90)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.data_root = str(voc) + '/'
    cfg.train_cfg.update(max_iters=steps, val_interval=3)
    cfg.default_hooks.checkpoint.interval = 2
    cfg.default_hooks.logger.interval = 1
    cfg.update(work_dir=str(folder), log_level='ERROR')
    for key in ('test_dataloader', 'test_evaluator', 'test_cfg'):
        cfg.pop(key)
    return Runner.from_cfg(cfg)


def test_by_steps(voc, tmp_path, monkeypatch):
    monkeypatch.setattr('mmengine.device.utils.DEVICE', 'cpu')
    validated = []
    monkeypatch.setattr(
        'wsl_plugins.evaluation.metrics.WSODVOCMetric.compute_metrics',
        lambda self, results: validated.append(len(results)) or dict(mAP=0.0),
    )
    first = runner_for(voc, tmp_path / 'run', 6)
    sample = first.build_dataloader(first._train_dataloader).dataset[0]['data_samples']
    # the dog is difficult, and one box is a single pixel wide
    assert sample.image_labels.nonzero().flatten().tolist() == [7]
    assert len(sample.proposals) == 4
    first.train()
    assert validated == [3, 3]  # after 3 and 6 steps, on three images
    written = next((tmp_path / 'run').glob('*/vis_data/scalars.json')).read_text().splitlines()
    steps = [entry['step'] for entry in map(json.loads, written) if 'pascal_voc/mAP' in entry]
    assert steps == [3, 6]
    # keeps two
    assert {p.name for p in (tmp_path / 'run').glob('*.pth')} == {'iter_4.pth', 'iter_6.pth'}
    factor = 1 / 3 + 2 / 3 * 6 / 200
    assert first.optim_wrapper.get_lr()['detector.lr'][0] == pytest.approx(0.01 * factor)
    assert first.optim_wrapper.get_lr()['drop_layer.lr'][0] == pytest.approx(1e-4)

    last = str(tmp_path / 'run' / 'iter_6.pth')
    second = runner_for(voc, tmp_path / 'run', 8, resume=True, load_from=last)
    seen = []
    monkeypatch.setattr(
        type(second.model), 'train_step', lambda self, data, optim_wrapper: seen.append(data) or {}
    )
    second.train()
    assert len(seen) == 2 and second.iter == 8
    state = torch.load(tmp_path / 'run' / 'iter_8.pth', weights_only=False)
    assert state['meta']['iter'] == 8 and state['optimizer'].keys() == {'detector', 'drop_layer'}


def test_auto_scale_lr(voc, tmp_path, monkeypatch):
    """One image of the eight that the rates are for."""
    monkeypatch.setattr('mmengine.device.utils.DEVICE', 'cpu')
    runner = runner_for(voc, tmp_path / 'run', 1, **{'auto_scale_lr.enable': True})
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.scale_lr(runner.optim_wrapper, runner.auto_scale_lr)
    rates = runner.optim_wrapper.get_lr()
    assert {round(rate / 0.01, 6) for rate in rates['detector.lr']} == {0.125, 0.25}
    assert set(rates['drop_layer.lr']) == {1e-4 / 8}
