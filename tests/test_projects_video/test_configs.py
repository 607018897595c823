"""The configs build and train; the comparison of two of them."""

import json
import os
import sys
from pathlib import Path

import compare
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmdet.registry import MODELS  # isort: skip

PROJECT = Path(compare.__file__).parent


def test_comparison_asks_for_the_clips(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', ['compare'])
    assert compare.main() == 1
    assert capsys.readouterr().err == (
        'compare: error: data/clips has no ImageSets: run make_clips.py\n'
    )


# ---- the configs


def test_comparison_trains_each_seed_once(tmp_path, monkeypatch, capsys):
    """The command with a training that takes no time: its mAP is 0.1 (seed + 1), 0.2 more with
    aggregation."""
    trained = []

    def run(tool, path, *options):
        assert tool == 'tools/train.py'  # the proposals are there
        folder, seed = options[1], int(options[3].removeprefix('randomness.seed='))
        trained.append((Path(path).stem, seed))
        value = 0.1 * (seed + 1) + 0.2 * ('fgfa' in path)
        log = folder / 'run' / 'vis_data' / 'scalars.json'
        log.parent.mkdir(parents=True)
        lines = [{f'pascal_voc/{name}': scale * value for name in compare.COLUMNS}
                 for scale in (0.5, 1)]  # fmt: skip
        log.write_text('\n'.join(json.dumps(line) for line in lines))

    clips = tmp_path / 'data' / 'clips'
    (clips / 'ImageSets').mkdir(parents=True)
    (clips / 'proposals').mkdir()
    for name in ('train', 'val'):
        (clips / 'proposals' / f'{name}.npz').touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(compare, 'run', run)
    monkeypatch.setattr(os, 'environ', dict(os.environ))
    for seeds in (['0'], ['0', '2']):
        monkeypatch.setattr(sys, 'argv', ['compare', '--seeds', *seeds])
        assert compare.main() == 0
    configs = ('oicr_clips', 'oicr_fgfa_clips')
    assert trained == [(name, seed) for seed in (0, 2) for name in configs]
    alone, both = capsys.readouterr().out.split('| mAP ')[1:]
    assert 'mean' not in alone and '10.0' in alone and '30.0' in alone
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in both.splitlines()[2:]]
    assert [row[0] for row in rows] == [
        f'{name}, {what}' for name in configs for what in ('seed 0', 'seed 2', 'mean')
    ]
    assert [row[1] for row in rows] == [
        '10.0',
        '30.0',
        '20.0 ± 14.1',
        '30.0',
        '50.0',
        '40.0 ± 14.1',
    ]
    assert all(set(row[1:]) == {row[1]} and len(row) == 6 for row in rows)


def config(name: str, clips: Path, work_dir: Path) -> Config:
    cfg = Config.fromfile(PROJECT / 'configs' / name)
    for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[key].dataset.data_root = f'{clips}/'
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        evaluator.subsets = dict(some=str(clips / 'ImageSets' / 'VID_val_frames.txt'))
    if 'motion' in cfg.model:
        cfg.model.motion.root = str(clips / 'Flow' / 'VID')
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=1, val_interval=1)
    cfg.param_scheduler = None
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = f'{cfg.filename}-{work_dir}'
    return cfg


@pytest.mark.parametrize('name', ['oicr_clips.py', 'oicr_fgfa_clips.py'])
def test_configs_of_the_clips_train_and_validate(name, clips, tmp_path):
    runner = Runner.from_cfg(config(name, clips, tmp_path))
    before = runner.model.backbone.conv1.weight.detach().clone()
    runner.train()
    scalars = runner.message_hub.log_scalars
    assert np.isfinite(scalars['train/loss'].current())
    every = scalars['val/pascal_voc/mAP'].current()
    assert 0 <= every <= 1 and scalars['val/pascal_voc/mAP_some'].current() == every
    assert not torch.equal(before, runner.model.backbone.conv1.weight)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['oicr_clips.py', 'oicr_fgfa_clips.py'])
def test_frames_of_real_size(name, clips, tmp_path):
    """Frames of 1333 x 800 and proposals from some pixels to the whole frame."""
    cfg = config(name, clips, tmp_path)
    for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[key].update(batch_size=1)
        cfg[key].dataset.indices = 2
        for step in cfg[key].dataset.pipeline:
            if step.type == 'wsl_plugins.LoadWSODProposals':
                step.min_side = 0
            for inner in step.get('transforms', []):
                if inner.type == 'Resize':
                    inner.scale = (1333, 800)
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        evaluator.subsets = {}
    runner = Runner.from_cfg(cfg)
    shapes = []
    runner.model.backbone.register_forward_pre_hook(lambda _, args: shapes.append(args[0].shape))
    runner.train()
    assert {shape[-2:] for shape in shapes} == {(800, 1344)}
    scalars = runner.message_hub.log_scalars
    assert np.isfinite(scalars['train/loss'].current())
    assert 0 <= scalars['val/pascal_voc/mAP'].current() <= 1


def test_the_two_configs_differ_in_the_frames_only():
    single, several = (
        Config.fromfile(PROJECT / 'configs' / name).to_dict()
        for name in ('oicr_clips.py', 'oicr_fgfa_clips.py')
    )
    for key in ('train_cfg', 'param_scheduler', 'optim_wrapper', 'val_evaluator', 'randomness'):
        assert single[key] == several[key]
    assert single['model']['roi_head'] == several['model']['roi_head']
    for loader in ('train_dataloader', 'val_dataloader'):
        first, second = (cfg[loader]['dataset'].pop('pipeline') for cfg in (single, several))
        assert single[loader] == several[loader]
        assert first[1:-1] == second[1:-1]


def test_config_of_imagenet_vid_builds(without_weights):
    cfg = Config.fromfile(PROJECT / 'configs' / 'mist_fgfa_vgg16_vid.py')
    without_weights(cfg)
    cfg.model.motion.weights = None
    model = MODELS.build(cfg.model)
    assert type(model).__name__ == 'FGFAFastRCNN' and model.roi_head.num_classes == 30
    assert model.roi_head.drop_layer is not None
    assert cfg.train_dataloader.dataset.type == cfg.test_dataloader.dataset.type
    assert 'instances' not in str(cfg.train_dataloader.dataset.pipeline)
    assert not any('Annot' in step.type for step in cfg.train_dataloader.dataset.pipeline)
