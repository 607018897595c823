"""What a training tells before its first loss, and its first losses."""

import time
from collections.abc import Callable, Iterator
from statistics import median

import torch
from mmengine.dist import get_world_size
from mmengine.hooks import Hook, LoggerHook
from mmengine.logging import MMLogger
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner
from torch import nn

from wsl_plugins.engine.resuming import progress

EARLY = (1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Iterations of a run whose losses are printed, besides those of the config's LoggerHook."""
ENOUGH = 5, 20.0
"""Iterations, or seconds, after which the duration is estimated."""


class OverviewHook(Hook):
    """Prints what is trained, from what, on what and where to; the first losses; how long it takes.

    What mmengine records (``scalars.json``, TensorBoard) stays as it is. ``tools/train.py``
    registers the hook by itself, after all others.

    Args:
        config (str): Name of the config.
        pretrained (list[str]): What parts of the model start from
            (:func:`wsl_plugins.engine.pretrained.check_pretrained`). Default: none.
        check (Callable): Called before a training, its steps and those of validation; it may raise
            ``KeyboardInterrupt``. Default: nothing.

    Example:
        >>> runner.register_hook(OverviewHook('oicr_demo.py'), 'LOWEST')  # doctest: +SKIP
    """

    def __init__(
        self,
        config: str,
        pretrained: list[str] | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.config = config
        self.pretrained = pretrained or []
        self.check = check
        self.times: list[float] = []
        self.last = 0.0
        self.estimated = False

    def before_train(self, runner: Runner) -> None:
        """The overview."""
        self.check()
        self.last = time.monotonic()
        runner.logger.info('training\n%s', training_overview(runner, self.config, self.pretrained))

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: object = None) -> None:
        """Stop here if that was asked for."""
        self.check()

    def before_val_iter(self, runner: Runner, batch_idx: int, data_batch: object = None) -> None:
        """Stop here if that was asked for."""
        self.check()

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: object = None,
        outputs: dict | None = None,
    ) -> None:
        """Loss and time of the first iterations."""
        if self.estimated and len(self.times) >= EARLY[-1]:
            return
        now = time.monotonic()
        self.times.append(now - self.last)
        self.last = now
        if len(self.times) in EARLY and not self._logged_already(runner, batch_idx):
            runner.logger.info(
                runner.log_processor.get_log_after_iter(runner, batch_idx, 'train')[1]
            )
        if not self.estimated:
            self.estimated = self._estimate(runner)

    def _logged_already(self, runner: Runner, batch_idx: int) -> bool:
        ends = self.end_of_epoch(runner.train_dataloader, batch_idx)
        return any(
            hook.every_n_inner_iters(batch_idx, hook.interval)
            or (ends and not (hook.ignore_last and len(runner.train_dataloader) > hook.interval))
            for hook in runner.hooks
            if isinstance(hook, LoggerHook)
        )

    def _estimate(self, runner: Runner) -> bool:
        """Tell how long it takes, once enough iterations are done; the first one warms up."""
        left = runner.max_iters - runner.iter - 1
        enough = len(self.times) >= ENOUGH[0] or sum(self.times) > ENOUGH[1]
        if len(self.times) < 2 or not (enough or left == 0):
            return False
        step = median(self.times[1:])
        if left:
            tests = ', and the tests between' if isinstance(runner._val_loop, BaseLoop) else ''
            runner.logger.info(
                'about %s to go: %d iterations of %.2g s%s',
                duration(step * left),
                left,
                step,
                tests,
            )
        return True


def duration(seconds: float) -> str:
    """In words, of two digits at most.

    Example:
        >>> [duration(number) for number in (4.2, 90, 5000, 400000)]
        ['4 s', '2 min', '1 h 23 min', '4 d 15 h']
    """
    if seconds < 60:
        return f'{seconds:.0f} s'
    minutes = round(seconds / 60)
    if minutes < 60:
        return f'{minutes} min'
    if minutes < 48 * 60:
        return f'{minutes // 60} h {minutes % 60} min'
    return f'{minutes // 1440} d {minutes % 1440 // 60} h'


def training_overview(runner: Runner, config: str, pretrained: list[str]) -> str:
    """A screen of text: what is trained, from what, with what, where to.

    Args:
        runner (Runner): At the start of its training.
        config (str): Name of the config.
        pretrained (list[str]): What parts of the model start from.
    """
    unit, done, last = progress(runner)
    data = runner.train_dataloader
    images = sum(len(part) for part in parts(data.dataset))
    lines = {'config': config, 'model': _model(runner.model)}
    if runner._resume:
        lines['goes on'] = f'from {runner._load_from}, {done} of {last} {unit}s are done'
    elif runner._load_from:
        lines['starts'] = f'from {runner._load_from}'
    else:
        lines['starts'] = '; '.join(pretrained) or 'from random weights'
    if images:
        lines['images'] = _images(runner, images)
    if boxes := _proposals(data.dataset):
        lines['proposals'] = boxes
    processes = get_world_size()
    sampler = getattr(data, 'batch_sampler', None)
    size = getattr(data, 'batch_size', None) or getattr(sampler, 'batch_size', None)
    each = f' of {size * processes} images' if size else ''
    steps = f'{last - done} {unit}{"" if last - done == 1 else "s"}' + (
        f' of {len(data)} iterations' if unit == 'epoch' else ''
    )
    lines['steps'] = f'{steps}, iterations{each}' if unit == 'epoch' else f'{steps}{each}'
    lines['runs on'] = _device(processes)
    lines['writes'] = f'{runner.work_dir}; all that is not printed here: {log_file(runner)}'
    return '\n'.join(f'    {name:<10}{text}' for name, text in lines.items())


def log_file(runner: Runner) -> str:
    """Path of the log file."""
    logger = runner.logger
    return str(logger.log_file) if isinstance(logger, MMLogger) else runner.log_dir


def parts(dataset: object) -> Iterator:
    """The data sets in data sets that wrap or join others."""
    if hasattr(dataset, 'datasets'):
        for one in dataset.datasets:
            yield from parts(one)
    elif hasattr(dataset, 'dataset'):
        yield from parts(dataset.dataset)
    else:
        yield dataset


def _model(model: nn.Module) -> str:
    model = model.get_submodule('module') if is_model_wrapper(model) else model
    heads = [getattr(model, name, None) for name in ('backbone', 'roi_head', 'bbox_head', 'head')]
    named = ', '.join(type(part).__name__ for part in heads if part is not None)
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    total, learnt = sum(size for size, _ in sizes), sum(size for size, learns in sizes if learns)
    frozen = '' if learnt == total else f', {learnt / 1e6:.3g} of them are trained'
    return f'{type(model).__name__} ({named}), {total / 1e6:.3g} million parameters{frozen}'


def _images(runner: Runner, count: int) -> str:
    classes = (getattr(runner.train_dataloader.dataset, 'metainfo', None) or {}).get('classes')
    text = f'{count} to train with'
    if isinstance(runner._val_loop, BaseLoop):
        text += f', {len(runner.val_dataloader.dataset)} to test with'
    if not classes:
        return text
    names = ', '.join(map(str, classes[:5])) + (', ...' if len(classes) > 5 else '')
    return f'{text}; {len(classes)} classes: {names}'


def _proposals(dataset: object) -> str:
    found = [part for part in parts(dataset) if getattr(part, 'proposals', None) is not None]
    files = {part.proposal_file: part.proposals for part in found}
    return '; '.join(
        f'{file.counts.mean():.0f} boxes per image ({name})' for name, file in files.items()
    )


def _device(processes: int) -> str:
    if torch.cuda.is_available():
        device = torch.cuda.get_device_name()
    else:
        count = torch.get_num_threads()
        device = f'CPU, {count} thread' + ('s' if count > 1 else '')
    return device if processes == 1 else f'{processes} processes, each on {device}'
