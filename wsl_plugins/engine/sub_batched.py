"""A method of a detector's module that runs in sub-batches."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from mmengine.logging import print_log
from torch import nn

from wsl_plugins.engine.memory_probe import Split, measure, split_for_budget
from wsl_plugins.engine.sequential import sequential_roi_forward

FREE_SHARE = 0.5  # of CUDA's free memory; gradients, optimiser and larger images take the rest


class SubBatched:
    """A method that runs in sub-batches; takes its place as an attribute of the instance.

    Copies of the module (``copy.deepcopy``) run their own method in sub-batches.

    Args:
        owner: module with the method.
        name: of the method; its arguments are (feats, rois) or (stage, feats, rois).
        path: of the owner, from the detector, for error messages.
        sub_batch_size: rois, or ``'auto'``: chosen in the first call that has rois, once more in
            the first with gradients if that had none.
        memory_budget: bytes for ``'auto'``. None: half of the free memory of the CUDA device.
        discard: keys of the result, a dict, that nobody reads: None instead of their values.
    """

    def __init__(
        self,
        owner: nn.Module,
        name: str,
        path: str,
        sub_batch_size: int | str,
        memory_budget: int | None = None,
        discard: tuple[str, ...] = (),
    ) -> None:
        self.owner = owner
        self.name = name
        self.function = getattr(owner, name).__func__
        self.shadowed = vars(owner).get(name)
        self.paths = {module: found for found, module in owner.named_modules(prefix=path)}
        self.sub_batch_size = sub_batch_size
        self.kept: int | None = None  # rois that keep their activations: one sub-batch
        self.to_measure = {False, True} if sub_batch_size == 'auto' else set()  # grad modes
        self.memory_budget = memory_budget
        self.discard = discard
        vars(owner)[name] = self

    def remove(self) -> None:
        """Give the method its place back."""
        if vars(self.owner).get(self.name) is not self:
            return
        del vars(self.owner)[self.name]
        if self.shadowed is not None:
            vars(self.owner)[self.name] = self.shadowed

    @torch.compiler.disable
    def __call__(self, *args, **kwargs) -> Any:
        bound = inspect.signature(self.function).bind(self.owner, *args, **kwargs)
        *leading, feats, rois = bound.args

        def fn(feats: tuple[torch.Tensor, ...], rois: torch.Tensor) -> Any:
            output = self.function(*leading, feats, rois)
            return {**output, **dict.fromkeys(self.discard)} if self.discard else output

        if torch.is_grad_enabled() in self.to_measure and len(rois):
            self.sub_batch_size, self.kept = self.choose(fn, feats, rois)
            self.to_measure -= {False, torch.is_grad_enabled()}
        size = max(len(rois), 1) if self.sub_batch_size == 'auto' else self.sub_batch_size
        return sequential_roi_forward(fn, feats, rois, size, self.paths, self.kept)

    def choose(
        self,
        fn: Callable[[tuple[torch.Tensor, ...], torch.Tensor], Any],
        feats: tuple[torch.Tensor, ...],
        rois: torch.Tensor,
    ) -> Split:
        """What fits the budget, from a measurement; logged."""
        # the stages of a cascade keep their activations at the same time
        budget = self.budget(rois.device) // getattr(self.owner, 'num_stages', 1)
        kept, peak = measure(fn, feats, rois, self.owner)
        split = split_for_budget(budget, kept, peak)
        print_log(
            f"sub_batch_size='auto': {split.sub_batch_size} rois; the activations of up to "
            f'{split.kept} rois are kept, {kept.per_roi / 2**20:.3g} MiB each, in a budget of '
            f'{budget / 2**20:.4g} MiB; those of the others are computed again',
            logger='current',
        )
        return split

    def budget(self, device: torch.device) -> int:
        """Bytes that the activations of a step may take."""
        if self.memory_budget is not None:
            return self.memory_budget
        free, _ = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int((free + cached) * FREE_SHARE)
