"""Rates and schedules of a training that goes on: those of its checkpoint, or of the config."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner

PROGRESS = {'last_step', '_global_step', '_last_value', 'base_values', 'verbose'}
"""Of a scheduler's state: what is no setting, or (the base values) is that of the optimiser."""


def schedule_changes(checkpoint: dict, runner: Runner) -> list[str]:
    """Settings of optimisers and schedulers in which a checkpoint differs from the config.

    Args:
        checkpoint: Of a training, before it is resumed.
        runner: With optimisers and schedulers as its config has them.

    Returns:
        For each one ``'initial_lr 0.01 (config: 0.001)'``, once.
    """
    found: list[str] = []
    for saved, groups, own in _players(checkpoint, runner):
        for old, new in zip(saved['param_groups'], groups, strict=False):
            moved = {key for key in new if f'initial_{key}' in new}
            found += _differences('', old, new, {'params', *moved})
        schedulers = checkpoint.get('param_schedulers', [])
        schedulers = schedulers[own] if isinstance(schedulers, dict) else schedulers
        fresh = _schedulers(runner, own)
        if len(schedulers) != len(fresh):
            found.append(f'{len(schedulers)} schedulers (config: {len(fresh)})')
        for old, scheduler in zip(schedulers, fresh, strict=False):
            name = f'{type(scheduler).__name__}.'
            found += _differences(name, old, scheduler.state_dict(), PROGRESS)
    return list(dict.fromkeys(found))


def take_schedule_of_config(checkpoint: dict, runner: Runner) -> None:
    """Put the settings of the config, moved on to the step of the checkpoint, into the checkpoint.

    Schedulers step as ``ParamSchedulerHook`` lets them: after each iteration, or each epoch.
    """
    meta = checkpoint['meta']
    length = steps_of_epoch(meta, len(runner.train_dataloader)) or meta['iter'] + 1
    for saved, groups, own in _players(checkpoint, runner):
        schedulers = _schedulers(runner, own)
        _move_on(schedulers, meta['iter'], length)
        for old, new in zip(saved['param_groups'], groups, strict=True):
            old.update({key: value for key, value in new.items() if key != 'params'})
        states = [scheduler.state_dict() for scheduler in schedulers]
        if isinstance(checkpoint.get('param_schedulers'), dict):
            checkpoint['param_schedulers'][own] = states
        else:
            checkpoint['param_schedulers'] = states


def steps_of_epoch(meta: dict, length: int) -> int | None:
    """Steps that an epoch had in the training of a checkpoint; None before its first end.

    Args:
        meta: Of the checkpoint, with the numbers of whole epochs and of iterations.
        length: Steps of an epoch now.

    Example:
        >>> steps_of_epoch(dict(epoch=2, iter=250), 100)  # in the third epoch
        100
        >>> steps_of_epoch(dict(epoch=2, iter=100), 100)
        50
    """
    epochs, iterations = meta['epoch'], meta['iter']
    if not epochs:
        return None
    goes_on = epochs * length <= iterations < (epochs + 1) * length
    return length if goes_on else iterations // epochs


def _players(checkpoint: dict, runner: Runner) -> Iterator[tuple[dict, list[dict], str]]:
    """State of each optimiser in the checkpoint, its parameter groups now, and its name."""
    if isinstance(runner.optim_wrapper, OptimWrapperDict):
        for name, wrapper in runner.optim_wrapper.items():
            yield checkpoint['optimizer'][name], wrapper.param_groups, name
    else:
        yield checkpoint['optimizer'], runner.optim_wrapper.param_groups, ''


def _schedulers(runner: Runner, own: str) -> list:
    schedulers = runner.param_schedulers or []
    return schedulers.get(own, []) if isinstance(schedulers, dict) else schedulers


def _move_on(schedulers: list, iterations: int, length: int) -> None:
    for scheduler in schedulers:
        scheduler.optimizer._global_step = iterations  # it has stepped, in the run before
    for done in range(1, iterations + 1):
        for scheduler in schedulers:
            if not scheduler.by_epoch:
                scheduler.step()
        for scheduler in schedulers if done % length == 0 else ():
            if scheduler.by_epoch:
                scheduler.step()


def _differences(name: str, old: dict, new: dict, without: Iterable[str]) -> list[str]:
    keys = [key for key in new if key in old and key not in without]
    return [
        f'{name}{key} {_plain(old[key])} (config: {_plain(new[key])})'
        for key in keys
        if _plain(old[key]) != _plain(new[key])
    ]


def _plain(value: Any) -> Any:
    """A list for a tuple, and for milestones, which a scheduler counts."""
    if isinstance(value, Counter):
        return sorted(value.elements())
    return list(value) if isinstance(value, tuple) else value
