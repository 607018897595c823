"""Hook that validates a resumed model whose validation the end of the run before cut off."""

import os
from pathlib import Path

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from wsl_plugins.engine.resuming import progress
from wsl_plugins.files.writing import atomic_write
from wsl_plugins.registry import HOOKS

NOTE = 'last_validation'


@HOOKS.register_module()
class MissedValidationHook(Hook):
    """Validates what a resumed training starts from, if its validation was due and never ended.

    mmengine saves the checkpoint of an epoch before it validates, and goes on with the next epoch
    when it resumes. A training that was stopped in between would lose this validation, and with it
    perhaps its best checkpoint or, at the last epoch, its result. After each validation the hook
    writes the epoch (the iteration, in a loop by iterations) to ``WORK_DIR/last_validation``.
    ``tools/train.py`` registers it by itself.

    Example:
        >>> custom_hooks = [dict(type='wsl_plugins.MissedValidationHook')]
    """

    priority = 'LOWEST'  # after CheckpointHook, which keeps the best checkpoint

    def before_train(self, runner: Runner) -> None:
        """Validate, if that is due; a training from the start forgets the note of an older one."""
        loop = runner.train_loop
        done = [_read(runner.work_dir) if is_main_process() else None]
        broadcast_object_list(done)
        unit, step, last = progress(runner)
        if step == 0:
            if is_main_process():
                Path(runner.work_dir, NOTE).unlink(missing_ok=True)
            return
        if runner.val_loop is None or (done[0] is not None and done[0] >= step):
            return
        loop._decide_current_val_interval()
        if step >= loop.val_begin and (step % loop.val_interval == 0 or step == last):
            runner.logger.info(f'The validation after {unit} {step} is missing, it comes first.')
            runner.val_loop.run()

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Note that the validation is done."""
        if runner._train_loop is None or isinstance(runner._train_loop, dict):
            return  # validation alone
        if is_main_process():
            with atomic_write(Path(runner.work_dir, NOTE)) as file:
                file.write(str(progress(runner)[1]).encode())


def _read(folder: str | os.PathLike) -> int | None:
    path = Path(folder, NOTE)
    return int(path.read_text()) if path.is_file() else None
