"""Hook that looks at the checkpoint a run starts from before it is used."""

import logging

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import BaseLoop, Runner

from wsl_plugins.checkpoints import MisfitError, load_fitting, other_order, weights_in
from wsl_plugins.engine.resuming import lacks_of_training, other_optimizer, progress
from wsl_plugins.registry import HOOKS


@HOOKS.register_module()
class StartingPointHook(Hook):
    """Refuses a checkpoint that is not what the run needs, and tells what of it is left out.

    mmengine loads what fits and goes on, with random weights in the place of the others. With this
    hook a test, and a training that resumes, need all weights of the model; more may be in the
    file. A training that starts from other weights (``load_from``) may lack some, such as the head,
    but not all. To resume, the checkpoint must also hold the state of a training, of an optimiser
    with the same groups of parameters; one whose epochs (iterations) are done already is said to
    be. The classes that a checkpoint notes must stand in the order of the data set, if they are the
    same; a training that starts from other weights is warned.

    Weights in a file without ``state_dict`` are found as
    :func:`wsl_plugins.checkpoints.read_checkpoint` finds them. ``tools/train.py`` and
    ``tools/test.py`` register the hook by themselves.

    Args:
        allow_partial (bool): Whether a test may lack weights too, but not all. Default: False.

    Raises:
        MisfitError: While loading: the checkpoint is refused.

    Example:
        >>> custom_hooks = [dict(type='wsl_plugins.StartingPointHook')]
    """

    priority = 'VERY_HIGH'  # before EMAHook, which takes the weights for granted

    def __init__(self, allow_partial: bool = False) -> None:
        self.allow_partial = allow_partial

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Look at the content of the file; mmengine loads it afterwards."""
        name = runner._load_from or runner.work_dir
        training = isinstance(runner._train_loop, BaseLoop)
        resumes = training and runner._resume
        if not isinstance(checkpoint, dict) or 'state_dict' not in checkpoint:
            checkpoint['state_dict'] = weights_in(checkpoint, name).weights
        weights = checkpoint['state_dict']
        for key in [key for key in weights if key.startswith('module.')]:  # of several processes
            weights[key.removeprefix('module.')] = weights.pop(key)
        lacks = lacks_of_training(checkpoint, bool(runner.param_schedulers)) if resumes else []
        if lacks:
            raise MisfitError(
                f'{name}: holds weights, but no training to resume (it lacks {", ".join(lacks)}); '
                'to start a training from its weights, set load_from in place of --resume'
            )
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        model = model.module if isinstance(model, BaseTTAModel) else model
        fit = load_fitting(model, weights)
        partial = not resumes and (training or self.allow_partial)
        if fit.nothing or not (fit.complete or partial):
            hint = '' if fit.nothing or training else ' (--allow-partial tests with those that fit)'
            raise MisfitError(f'{name}: not of this config: {fit}{hint}')
        if not fit.complete:
            print_log(f'{name}: loaded in part: {fit}', 'current', logging.WARNING)
        elif fit.unexpected:
            print_log(f'{name}: loaded, more in the file is left out: {fit}', 'current')
        if resumes and (other := other_optimizer(runner.optim_wrapper, checkpoint['optimizer'])):
            raise MisfitError(
                f'{name}: the optimiser is not of this config: {other} (optim_wrapper, or what of '
                'the model trains, was changed); to start from its weights alone, set load_from '
                'in place of --resume'
            )
        self._check_classes(runner, checkpoint, name, training and not resumes)

    def _check_classes(self, runner: Runner, checkpoint: dict, name: str, starts: bool) -> None:
        """The same classes must stand in the same order."""
        loop = runner._train_loop if isinstance(runner._train_loop, BaseLoop) else runner._test_loop
        own = loop.dataloader.dataset.metainfo if isinstance(loop, BaseLoop) else {}
        if other := other_order(checkpoint.get('meta'), own.get('classes')):
            if not starts:
                raise MisfitError(f'{name}: {other}')
            print_log(f'{name}: {other}', 'current', logging.WARNING)

    def before_train(self, runner: Runner) -> None:
        """Say so if there is nothing left to do."""
        unit, done, last = progress(runner)
        if runner._resume and done >= last:
            print_log(
                f'{runner._load_from}: this training is already done: {done} of {last} {unit}s '
                '(a larger number in train_cfg goes on)',
                'current',
            )
