"""Hook that stops a training whose losses make no sense."""

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from wsl_plugins.registry import HOOKS


@HOOKS.register_module()
class CheckLossHook(Hook):
    """Ends a training that has diverged, and names its losses.

    mmdet's ``CheckInvalidLossHook`` looks for NaN and infinity, and names nothing.

    Args:
        interval: Steps from one look to the next; a look waits for the GPU. Default 50, as
            losses are logged.
        limit: The largest absolute value of a loss. Default 1e6.

    Raises:
        FloatingPointError: A loss is not finite or beyond the limit.

    Example:
        >>> default_hooks = dict(check_loss=dict(type='wsl_plugins.CheckLossHook'))
    """

    def __init__(self, interval: int = 50, limit: float = 1e6) -> None:
        self.interval = interval
        self.limit = limit

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Look at the losses of a step."""
        if not self.every_n_train_iters(runner, self.interval):
            return
        losses = {
            name: float(value.detach())
            for name, value in (outputs or {}).items()
            if 'loss' in name and isinstance(value, torch.Tensor) and value.numel() == 1
        }
        bad = [f'{name} {value:g}' for name, value in losses.items() if not self._sane(value)]
        if bad:
            raise FloatingPointError(
                f'iteration {runner.iter + 1}: {", ".join(bad)} (allowed: up to {self.limit:g}): '
                'the training has diverged; a lower learning rate, optim_wrapper.clip_grad or a '
                'warm-up helps'
            )

    def _sane(self, value: float) -> bool:
        return abs(value) <= self.limit
