"""The stages of the rows on VOC 2007: every option is of its config, nothing else changes."""

import copy
from pathlib import Path

from mmengine.config import Config

from wsl_plugins.config_names import find_config
from wsl_plugins.engine.stage_config import read_stages

CONFIG = Path(__file__).parents[1] / 'projects/voc07_rows/stages.py'


def test_a_training_and_two_tests_for_each_row_and_seed():
    stages, compared = read_stages(CONFIG)
    assert compared == []
    names = [f'{row}-{seed}' for row in Config.fromfile(CONFIG).rows for seed in range(3)]
    parts = [name + end for name in names for end in ('', '-map', '-corloc')]
    assert [stage.name for stage in stages] == parts
    for training, *tests in zip(stages[::3], stages[1::3], stages[2::3], strict=True):
        assert training.tool == 'train' and f'randomness.seed={training.name[-1]}' in training.args
        assert [test.inputs for test in tests] == [[training.name]] * 2
    of_maps = {s.name for s in stages if any('voc07_rows/maps' in a for a in s.args)}
    assert of_maps == {f'{row}-{seed}' for row in ('dropblock', 'concrete') for seed in range(3)}


def test_rows_are_tested_by_their_config_without_what_tests_do_not_use():
    cfg = Config.fromfile(CONFIG)
    for name, file in cfg.rows.items():
        for stage, end in (('map', ''), ('corloc', '_corloc')):
            own = Config.fromfile(find_config(f'{file}{end}.py')).to_dict()
            drop_layer = own['model']['roi_head'].pop('drop_layer', None)
            assert bool(drop_layer) == (name in cfg.drop_rows)
            if drop_layer:
                own['model']['roi_head']['bbox_roi_extractor'].pop('output_size')
            (stage,) = [s for s in cfg.stages if s.name == f'{name}-1-{stage}']
            tested = Config.fromfile(find_config(stage.args[0])).to_dict()
            for key in ('model', 'test_dataloader', 'test_evaluator', 'test_cfg'):
                assert tested[key] == own[key], (name, key)


def test_the_options_are_of_the_configs():
    cfg = Config.fromfile(CONFIG)
    for stage in cfg.stages:
        if '-0' not in stage.name:
            continue
        base = Config.fromfile(find_config(stage.args[0]))
        changed = copy.deepcopy(base)
        changed.merge_from_dict(dict(stage.cfg_options))
        load = changed.train_dataloader.dataset.pipeline[1]
        assert load == dict(
            type='wsl_plugins.LoadWSODProposals', min_side=40, max_num=None, num_sample=256
        )
        assert changed.default_hooks.pop('cached').type == 'wsl_plugins.CachedRoIFeatures'
        assert changed.default_hooks.keys() == base.default_hooks.keys()
        if stage.tool == 'train':
            assert changed.param_scheduler[1].type == 'MultiStepLR'
            assert changed.param_scheduler[1].milestones == [3]
            assert changed.train_cfg.max_epochs == 4
