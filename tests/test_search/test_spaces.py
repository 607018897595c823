"""Search spaces: table 5 of Choe et al., CVPR 2020."""

import json

import numpy as np
import optuna
import pytest
from scipy import stats

from wsl_plugins.search import NumberedRandomSampler, read_space, table5_space
from wsl_plugins.search.parameters import apply, check_space, draw
from wsl_plugins.search.spaces import cutmix_alpha

PIECES = {
    'HaS': dict(type='wsl_plugins.HideAndSeek'),
    'ACoL': dict(type='wsl_plugins.ACoLHead'),
    'SPG': dict(type='SPGHead'),
    'TriLite': dict(type='wsl_plugins.TriLiteHead'),
    'ADL': dict(type='wsl_plugins.ADL'),
    'CutMix': dict(type='CutMix', alpha=1.0),
}


def config_of(config, method):
    if method == 'CutMix':
        augments = dict(augments=PIECES['CutMix'], probs=1.0)
        config['model']['data_preprocessor']['batch_augments'] = augments
    elif method != 'CAM':
        config['model']['piece'] = [PIECES[method]]
    return config


def draws(space, number, seed=0):
    """Drawn values, an array of ``number`` for each name."""
    study = optuna.create_study(sampler=NumberedRandomSampler(seed))
    rows = [draw(study.ask(), space) for _ in range(number)]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def is_uniform(values, low, high):
    return stats.kstest(values, 'uniform', (low, high - low)).pvalue > 0.01


@pytest.mark.parametrize('method', ['CAM', *PIECES])
def test_common_parameters(config, method):
    name, space = table5_space(config_of(config, method))
    assert name == method
    values = draws(space, 300)
    assert 1e-5 <= values['lr'].min() and values['lr'].max() <= 1
    assert is_uniform(np.log10(values['lr']), -5, 0)
    assert set(values['score_map_size']) == {14, 28}
    assert 110 < (values['score_map_size'] == 14).sum() < 190  # 4.6 sigma


@pytest.mark.parametrize(
    'method, uniform',
    [
        ('CAM', []),
        ('HaS', ['has_drop_rate', 'has_drop_area']),
        ('ACoL', ['acol_erase_threshold']),
        ('SPG', ['spg_b1_low', 'spg_b2_low', 'spg_c_low']),
        ('ADL', ['adl_drop_rate', 'adl_threshold']),
        ('CutMix', ['cutmix_rate']),
    ],
)
def test_uniform_parameters(config, method, uniform):
    values = draws(table5_space(config_of(config, method))[1], 300)
    for name in uniform:
        assert 0 <= values[name].min() and values[name].max() <= 1
        assert is_uniform(values[name], 0, 1), name
    columns = np.array([values[name] for name in ['lr', *uniform]])
    correlation = np.atleast_2d(np.corrcoef(columns)) - np.eye(len(columns))
    assert abs(correlation).max() < 0.2  # each is drawn by itself
    others = {f'spg_{branch}_high' for branch in ('b1', 'b2', 'c')} | {'cutmix_u'}
    assert set(values) - others == {'lr', 'score_map_size', *uniform}


def test_weight_of_trilite_is_log_uniform(config):
    values = draws(table5_space(config_of(config, 'TriLite'))[1], 300)
    assert set(values) == {'lr', 'score_map_size', 'trilite_background_weight'}
    assert is_uniform(np.log10(values['trilite_background_weight']), -1, 1)


def test_spg_high_is_uniform_above_low(config):
    values = draws(table5_space(config_of(config, 'SPG'))[1], 300)
    for branch in ('b1', 'b2', 'c'):
        low, high = values[f'spg_{branch}_low'], values[f'spg_{branch}_high']
        assert (low <= high).all() and (high <= 1).all()
        assert is_uniform((high - low) / (1 - low), 0, 1)


def test_cutmix_alpha_makes_the_variance_uniform(config):
    space = table5_space(config_of(config, 'CutMix'))[1]
    alphas = [cutmix_alpha(u) for u in draws(space, 300)['cutmix_u']]
    assert min(alphas) > 0
    assert is_uniform([stats.beta(a, a).var() for a in alphas], 0, 0.25)
    assert cutmix_alpha(2.0) == 0 and cutmix_alpha(0.5) == 1.5


def test_methods_together(config):
    config['model']['piece'] = [PIECES['ADL'], PIECES['HaS']]
    method, space = table5_space(config)
    assert method == 'HaS+ADL'
    assert [p.name for p in space[2:]] == [
        'has_drop_rate', 'has_drop_area', 'adl_drop_rate', 'adl_threshold',
    ]  # fmt: skip


def test_values_reach_the_config(config):
    config['train_dataloader']['dataset']['pipeline'] = [dict(type='X'), dict(PIECES['HaS'])]
    config['model']['head'] = dict(PIECES['SPG'])
    config['model']['layers'] = [dict(PIECES['ADL']), dict(inner=(dict(PIECES['ADL']),))]
    config_of(config, 'CutMix')
    method, space = table5_space(config)
    values = {parameter.name: 0.25 for parameter in space} | {'cutmix_u': 0.4, 'spg_c_high': 0.75}
    apply(config, space, values)
    assert config['optim_wrapper']['optimizer']['lr'] == 0.25
    assert config['model']['backbone']['score_map_size'] == 0.25
    has = config['train_dataloader']['dataset']['pipeline'][1]
    assert (has['drop_rate'], has['cell_size']) == (0.25, 0.25)
    head = config['model']['head']
    assert head['thresholds_b1'] == [0.25, 0.25] and head['thresholds_c'] == [0.25, 0.75]
    first, second = config['model']['layers'][0], config['model']['layers'][1]['inner'][0]
    for layer in (first, second):
        assert (layer['drop_rate'], layer['threshold']) == (0.25, 0.25)
    augments = config['model']['data_preprocessor']['batch_augments']
    assert augments['augments']['alpha'] == pytest.approx(2.0) and augments['probs'] == 0.25


def test_a_config_without_the_place_is_refused(config):
    space = table5_space(config)[1]
    check_space(config, space)
    assert config['optim_wrapper']['optimizer']['lr'] == 0.1  # as it was
    del config['model']['backbone']['score_map_size']
    with pytest.raises(ValueError, match="no 'model.backbone.score_map_size'.*depth"):
        check_space(config, space)


def test_cutmix_with_others_is_refused(config):
    augments = config_of(config, 'CutMix')['model']['data_preprocessor']['batch_augments']
    assert table5_space(config)[1][-1].target == 'model.data_preprocessor.batch_augments.probs'
    config['model'] = dict(train_cfg=augments)
    assert table5_space(config)[1][-1].target == 'model.train_cfg.probs'
    augments['augments'] = [augments['augments']]
    assert table5_space(config)[0] == 'CutMix'
    augments['augments'].append(dict(type='Mixup'))
    with pytest.raises(ValueError, match='alone in the augments of one of model.train_cfg, '):
        table5_space(config)


def test_a_draw_depends_on_seed_number_and_name_only(config):
    space = table5_space(config_of(config, 'ADL'))[1]
    study = optuna.create_study(sampler=NumberedRandomSampler(3))
    first, second = study.ask(), study.ask()
    late, early = draw(second, space), draw(first, space)  # the other way round
    values = draws(space[::-1], 2, seed=3)
    for name in values:
        assert values[name].tolist() == [early[name], late[name]]
    other = draws(space, 2, seed=4)
    assert other['lr'].tolist() != values['lr'].tolist()


def test_own_space(tmp_path):
    path = tmp_path / 'space.json'
    entries = {
        'lr': dict(target='optim_wrapper.optimizer.lr', low=1e-3, high=0.1, log=True),
        'a': dict(target='X:a', low=2, high=3),
        'b': dict(target='X:a', low='a', high=3),
        'act': dict(target='X:act', choices=['ReLU']),
    }
    path.write_text(json.dumps(entries))
    values = draws(read_space(path), 50)
    assert 1e-3 <= values['lr'].min() and values['lr'].max() <= 0.1
    assert np.median(values['lr']) < 0.02
    assert (2 <= values['a']).all() and (values['a'] <= values['b']).all()
    assert set(values['act']) == {'ReLU'}


@pytest.mark.parametrize(
    'text, message',
    [
        ('{"a": ', 'not JSON'),
        ('[]', 'must be an object'),
        ('{"a": {"low": 0}}', 'a: needs "target"'),
        ('{"a": {"target": "x", "hi": 0}}', 'a: needs "target"'),
        ('{"a": {"target": "x", "low": 2}}', 'low < high'),
        ('{"a": {"target": "x", "log": true}}', 'low > 0'),
        ('{"a": {"target": "x", "low": "b"}, "b": {"target": "y"}}', 'no earlier parameter'),
        ('{"a": {"target": "x", "choices": [1], "low": 0}}', 'excludes'),
    ],
)
def test_bad_own_space(tmp_path, text, message):
    path = tmp_path / 'space.json'
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        read_space(path)
    assert str(path) in str(error.value)
    with pytest.raises(FileNotFoundError):
        read_space(tmp_path / 'none.json')
