"""Mixed precision in bfloat16, on CPUs too."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from torch import nn

from wsl_plugins.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Runs the forward pass under ``torch.autocast`` in bfloat16 on the device of the model.

    mmengine's ``AmpOptimWrapper`` scales the loss for float16 and refuses to run without an
    accelerator. bfloat16 has the exponent range of float32, so no loss is scaled: weights, their
    gradients and the optimiser state stay float32, and backward pass, gradient clipping, gradient
    accumulation and ``state_dict`` are those of ``OptimWrapper``.

    Args:
        optimizer (dict or torch.optim.Optimizer): As for ``OptimWrapper``.
        **kwargs: The other options of ``OptimWrapper`` (``accumulative_counts``, ``clip_grad``).

    Example:
        >>> optim_wrapper = dict(
        ...     type='wsl_plugins.BFloat16OptimWrapper',
        ...     optimizer=dict(type='SGD', lr=0.01, momentum=0.9))
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Context of the forward pass: bfloat16 autocast, no gradient exchange while accumulating.

        Args:
            model: The model (or its DDP wrapper) that runs the forward pass.
        """
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, dtype=torch.bfloat16):
            yield
