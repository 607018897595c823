"""Schedules moved on to a step are those of a training that got there."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import CosineAnnealingLR, LinearLR, MultiStepLR, OptimWrapper, OptimWrapperDict

from wsl_plugins.engine.resumed_schedule import schedule_changes, take_schedule_of_config

LENGTH = 7  # steps of an epoch


def player(rate):
    """An optimiser, and its schedulers: warm-up by iterations, the rest by epochs."""
    weight = torch.nn.Parameter(torch.zeros(2))
    wrapper = OptimWrapper(torch.optim.SGD([weight], lr=rate, momentum=0.9))
    schedulers = [
        LinearLR(wrapper, start_factor=0.1, by_epoch=False, end=10),
        MultiStepLR(wrapper, milestones=[2, 3]),
        CosineAnnealingLR(wrapper, T_max=9, begin=1, end=9),
    ]
    return wrapper, schedulers


def runner(several, rate):
    """What the schedules need of a runner: one player, or two."""
    if not several:
        wrapper, schedulers = player(rate)
    else:
        players = dict(detector=player(rate), layer=player(3 * rate))
        wrapper = OptimWrapperDict(**{name: one[0] for name, one in players.items()})
        schedulers = {name: one[1] for name, one in players.items()}
    return SimpleNamespace(
        optim_wrapper=wrapper, param_schedulers=schedulers, train_dataloader=range(LENGTH)
    )


def train(run, iterations):
    """As ``ParamSchedulerHook`` steps; the checkpoint."""
    lists = run.param_schedulers
    lists = list(lists.values()) if isinstance(lists, dict) else [lists]
    for done in range(1, iterations + 1):
        for schedulers in lists:
            for scheduler in schedulers:
                if not scheduler.by_epoch or done % LENGTH == 0:
                    scheduler.step()
    states = [[scheduler.state_dict() for scheduler in one] for one in lists]
    if isinstance(run.param_schedulers, dict):
        states = dict(zip(run.param_schedulers, states, strict=True))
    else:
        (states,) = states
    meta = dict(iter=iterations, epoch=iterations // LENGTH)
    optimizer = run.optim_wrapper.state_dict()
    return dict(meta=meta, optimizer=optimizer, param_schedulers=states)


@pytest.mark.parametrize('several', [False, True])
@pytest.mark.parametrize('iterations', [4, 2 * LENGTH, 3 * LENGTH + 2])
def test_as_if_it_had_been_so_from_the_start(several, iterations):
    checkpoint = train(runner(several, 0.5), iterations)
    expected = train(runner(several, 0.02), iterations)
    fresh = runner(several, 0.02)
    changes = schedule_changes(checkpoint, fresh)
    assert changes[0] == 'initial_lr 0.5 (config: 0.02)' and len(changes) == 1 + several
    take_schedule_of_config(checkpoint, fresh)
    optimizers = checkpoint['optimizer'], expected['optimizer']
    if several:
        optimizers = [[one[name] for name in ('detector', 'layer')] for one in optimizers]
    else:
        optimizers = [[one] for one in optimizers]
    for found, wanted in zip(*optimizers, strict=True):
        assert found['param_groups'] == wanted['param_groups']
    flat = [
        [state for one in (c.values() if several else [c]) for state in one]
        for c in (checkpoint['param_schedulers'], expected['param_schedulers'])
    ]
    for found, wanted in zip(*flat, strict=True):
        for key in ('last_step', '_last_value', 'base_values'):
            assert found[key] == wanted[key]
    assert schedule_changes(checkpoint, runner(several, 0.02)) == []
