"""One optimiser per player: who owns what, errors, and a whole Runner."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.model import BaseModel, MMDistributedDataParallel
from mmengine.optim import OptimWrapper, OptimWrapperDict, build_optim_wrapper
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.runner import Runner
from torch import nn

import wsl_plugins  # noqa: F401

CONSTRUCTOR = 'wsl_plugins.PlayerOptimWrapperConstructor'


class Game(BaseModel):
    """Two players with a layer each, a third layer and a frozen one; one step per player."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        self.second = nn.ModuleDict(dict(inner=nn.Linear(4, 1)))
        self.third = nn.Linear(2, 2)
        self.frozen = nn.Linear(2, 2).requires_grad_(False)
        self.relu = nn.ReLU()

    def forward(self, inputs, mode='loss'):
        return dict(loss=self.second['inner'](self.first(inputs)).square().mean())

    def train_step(self, data, optim_wrapper):
        for sign, wrapper in zip((1, -1), optim_wrapper.values(), strict=True):
            optim_wrapper.zero_grad()  # of both: each backward pass reaches both players
            wrapper.update_params(sign * self(torch.stack(data))['loss'])
        return dict(loss=torch.tensor(1.0))


def sgd(lr=0.1, modules=None, **kwargs):
    cfg = dict(optimizer=dict(type='SGD', lr=lr, momentum=0.9, weight_decay=0.01), **kwargs)
    return cfg if modules is None else dict(cfg, modules=modules)


def build(model, **players):
    return build_optim_wrapper(model, ConfigDict(constructor=CONSTRUCTOR, **players))


def names_of(model, wrapper):
    names = {id(p): name for name, p in model.named_parameters()}
    return [names[id(p)] for group in wrapper.optimizer.param_groups for p in group['params']]


def test_found_by_name():
    assert OPTIM_WRAPPER_CONSTRUCTORS.get(CONSTRUCTOR).__name__ == 'PlayerOptimWrapperConstructor'


@pytest.mark.parametrize('rest', ['a', 'b', None])
def test_every_parameter_has_one_optimiser(rest):
    model = Game()
    modules = dict(a=['first', 'third', 'frozen'], b=['second.inner'])
    players = {name: sgd(modules=None if name == rest else modules[name]) for name in modules}
    wrappers = build(model, **players)
    assert isinstance(wrappers, OptimWrapperDict) and list(wrappers.keys()) == ['a', 'b']
    assert names_of(model, wrappers['b']) == ['second.inner.weight', 'second.inner.bias']
    everything = names_of(model, wrappers['a']) + names_of(model, wrappers['b'])
    assert sorted(everything) == sorted(name for name, _ in model.named_parameters())


def test_a_player_may_name_a_module_within_another_of_its_own():
    wrappers = build(Game(), a=sgd(), b=sgd(modules=['second', 'second.inner']))
    assert len(wrappers['b'].optimizer.param_groups[0]['params']) == 2


def test_settings_of_each_player():
    wrappers = build(
        Game(),
        a=sgd(0.1, clip_grad=dict(max_norm=7)),
        b=sgd(0.02, ['second'], type='wsl_plugins.BFloat16OptimWrapper', accumulative_counts=2),
    )
    assert wrappers.get_lr() == {'a.lr': [0.1], 'b.lr': [0.02]}
    assert type(wrappers['a']) is OptimWrapper and wrappers['a'].clip_grad_kwargs['max_norm'] == 7
    assert type(wrappers['b']).__name__ == 'BFloat16OptimWrapper'
    assert wrappers['b']._accumulative_counts == 2


def test_paramwise_options_within_a_player():
    model = Game()
    paramwise_cfg = dict(
        custom_keys={'first.0': dict(lr_mult=0.1), 'second': dict(lr_mult=5)}, norm_decay_mult=0.0
    )
    wrappers = build(model, a=sgd(0.1, paramwise_cfg=paramwise_cfg), b=sgd(0.02, ['second']))
    names = names_of(model, wrappers['a'])
    groups = wrappers['a'].optimizer.param_groups
    found = {n: (g['lr'], g['weight_decay']) for n, g in zip(names, groups, strict=True)}
    assert found == {  # a frozen parameter gets no group when there are options per parameter
        'first.0.weight': (pytest.approx(0.01), 0.01),
        'first.0.bias': (pytest.approx(0.01), 0.01),
        'first.1.weight': (0.1, 0.0),
        'first.1.bias': (0.1, 0.0),
        'third.weight': (0.1, 0.01),
        'third.bias': (0.1, 0.01),
    }
    assert wrappers['b'].optimizer.param_groups[0]['lr'] == 0.02


def test_a_step_moves_only_the_players_parameters():
    model = Game()
    wrappers = build(model, a=sgd(), b=sgd(modules=['second']))
    before = {name: p.clone() for name, p in model.named_parameters()}
    loss = model(torch.rand(5, 3, generator=torch.Generator().manual_seed(0)))['loss']
    wrappers['b'].update_params(loss)
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {'second.inner.weight', 'second.inner.bias'}


@pytest.mark.parametrize(
    'players, words',
    [
        (dict(a=sgd(), b=sgd()), r"only one of the players \['a', 'b'\] may lack modules"),
        (dict(a=sgd(), b=sgd(modules=['forth'])), "player 'b': the model has no module 'forth'"),
        (
            dict(a=sgd(modules=['second.inner', 'first']), b=sgd(modules=['second'])),
            "players 'a' and 'b' both claim 'second'",
        ),
        (
            dict(a=sgd(modules=['first']), b=sgd(modules=['second'])),
            r"no player of \['a', 'b'\] has 'third.weight'",
        ),
        (dict(a=sgd(), b=sgd(modules=['relu'])), "player 'b' has no parameters"),
        (dict(a=sgd(), paramwise_cfg=dict(norm_decay_mult=0.0)), 'belongs into .* each player'),
        (dict(type='OptimWrapper', a=sgd()), "got type='OptimWrapper'; .* _delete_=True"),
    ],
)
def test_errors_name_what_is_wrong(players, words):
    with pytest.raises(ValueError, match=words):
        build(Game(), **players)


def test_a_wrapped_model_is_looked_into(tmp_path):
    store = torch.distributed.FileStore(str(tmp_path / 'store'), 1)
    torch.distributed.init_process_group('gloo', store=store, rank=0, world_size=1)
    try:
        model = MMDistributedDataParallel(Game())
        wrappers = build(model, a=sgd(), b=sgd(modules=['second']))
        assert len(names_of(model.module, wrappers['b'])) == 2
    finally:
        torch.distributed.destroy_process_group()


def run(work_dir, **kwargs):
    """Train on 4 points, 3 epochs, batches of 2; the learning rate falls tenfold between epochs."""
    torch.manual_seed(0)
    runner = Runner(
        model=Game(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=list(torch.rand(4, 3, generator=torch.Generator().manual_seed(1))),
            batch_size=2,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='pseudo_collate'),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=3),
        optim_wrapper=dict(constructor=CONSTRUCTOR, a=sgd(0.1), b=sgd(0.02, ['second'])),
        param_scheduler=[dict(type='StepLR', step_size=1, gamma=0.1, by_epoch=True)],
        default_scope='mmdet',
        experiment_name=work_dir.name,
        **kwargs,
    )
    runner.train()
    return runner


def test_runner_schedules_saves_and_resumes(tmp_path):
    whole = run(tmp_path / 'whole')
    assert whole.optim_wrapper.get_lr() == {
        'a.lr': [pytest.approx(1e-3)],
        'b.lr': [pytest.approx(2e-4)],
    }
    resumed = run(tmp_path / 'rest', resume=True, load_from=str(tmp_path / 'whole/epoch_1.pth'))
    assert not (tmp_path / 'rest/epoch_1.pth').exists() and resumed.iter == 6
    for ours, theirs in zip(resumed.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    start = Game()
    assert not torch.equal(whole.model.first[0].weight, start.first[0].weight)
    assert not torch.equal(whole.model.second['inner'].weight, start.second['inner'].weight)
    for name in ('a', 'b'):
        ours, theirs = (r.optim_wrapper[name].optimizer.state_dict() for r in (resumed, whole))
        assert ours['param_groups'] == theirs['param_groups'] and ours['state'].keys()
        for key, state in ours['state'].items():
            expected = theirs['state'][key]['momentum_buffer']
            assert torch.equal(state['momentum_buffer'], expected)
