"""Hook that tells, or changes, whose schedule a resumed training follows."""

import logging

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import BaseLoop, Runner

from wsl_plugins.engine.resumed_schedule import (
    schedule_changes,
    steps_of_epoch,
    take_schedule_of_config,
)
from wsl_plugins.registry import HOOKS


@HOOKS.register_module()
class ResumedScheduleHook(Hook):
    """A training that is resumed says whose rates it follows where config and checkpoint differ.

    mmengine (0.10) restores the whole state of optimisers and schedulers: with more epochs than
    before, the rate stays what it was at the old end; another rate, momentum, weight decay or
    milestone of the config is not used. ``tools/train.py`` registers this hook by itself.

    Args:
        of_config (bool): Use the settings of the config, with the schedules moved on to the step
            of the checkpoint. The optimisers keep their momenta. Default: False, those of the
            checkpoint.

    Example:
        >>> custom_hooks = [dict(type='wsl_plugins.ResumedScheduleHook', of_config=True)]
    """

    def __init__(self, of_config: bool = False) -> None:
        self.of_config = of_config

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare, before mmengine restores the state."""
        if not (isinstance(runner._train_loop, BaseLoop) and runner._resume):
            return
        changes = schedule_changes(checkpoint, runner)
        if changes:
            print_log(
                f'the checkpoint was trained with {"; ".join(changes)}: '
                + (
                    'goes on as the config says'
                    if self.of_config
                    else 'goes on so, not as the config says (tools/train.py --resume '
                    '--new-schedule does)'
                ),
                'current',
                logging.WARNING,
            )
        loop, meta = runner.train_loop, checkpoint['meta']
        length = len(runner.train_dataloader)
        steps = steps_of_epoch(meta, length)
        if steps not in (None, length):
            print_log(
                f'an epoch of the checkpoint had {steps} steps, now it has {length}: iterations '
                f'are counted on from {meta["iter"]} of {loop.max_iters}, schedules by iterations '
                'too',
                'current',
                logging.WARNING,
            )
        if self.of_config:
            take_schedule_of_config(checkpoint, runner)
