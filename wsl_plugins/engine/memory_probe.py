"""What the per-proposal part of a detector keeps for the backward pass, and how much of it fits."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten

SUB_BATCH_SIZE = 500  # more rois at once are not faster, and need more memory while they run


class Cost(NamedTuple):
    """Bytes of a call with R rois: ``fixed + per_roi * R``."""

    per_roi: float
    fixed: float = 0.0

    def __call__(self, count: int) -> float:
        return self.fixed + self.per_roi * count


class Split(NamedTuple):
    """Rois of a sub-batch, and rois that keep their activations."""

    sub_batch_size: int
    kept: int


def split_for_budget(budget: int, kept: Cost, peak: Cost) -> Split:
    """The most rois whose activations fit a budget beside one sub-batch that is being computed.

    Sub-batches are of 500 rois, or fewer if the ``peak`` of one is above the budget. With k kept
    sub-batches of s rois the peak is ``k * kept(s) + (peak(s) - kept(s))``.

    Args:
        budget: bytes.
        kept: what a sub-batch keeps for its backward pass.
        peak: what a sub-batch needs at most in its forward and backward pass; at least ``kept``.

    Raises:
        ValueError: the budget is below the need of one roi.

    Example:
        >>> split_for_budget(30_000, Cost(per_roi=10), Cost(per_roi=12))
        Split(sub_batch_size=500, kept=2900)
    """
    if budget < peak(1):
        raise ValueError(
            f'a memory budget of {budget} bytes is below the need of one roi, {peak(1):.0f} bytes'
        )
    size = min(SUB_BATCH_SIZE, max(int((budget - peak.fixed) / max(peak.per_roi, 1.0)), 1))
    room = budget - (peak(size) - kept(size))
    whole, left = divmod(room, max(kept(size), 1.0))
    part = int((left - kept.fixed) / max(kept.per_roi, 1.0))
    return Split(size, max(int(whole), 1) * size + max(part, 0))


def measure(
    fn: Callable[[tuple[Tensor, ...], Tensor], Any],
    feats: tuple[Tensor, ...],
    rois: Tensor,
    module: nn.Module,
) -> tuple[Cost, Cost]:
    """What ``fn(feats, rois)`` keeps for its backward pass, and its peak in both passes.

    Lines through two numbers of rois each. On CUDA the peak is that of the allocator (its
    statistics start anew); elsewhere it is not known, and taken as what is kept. Random numbers,
    gradients, buffers and the tensors among the attributes of ``module`` stay as they were.

    Args:
        fn: treats each roi by itself.
        feats: feature maps.
        rois: (R, 5) with R of at least 1; repeated or cut to the number measured.
        module: holds the parameters and buffers that ``fn`` uses.
    """
    feats = tuple(feat.detach().requires_grad_() for feat in feats)
    known = [*feats, *module.parameters(), *module.buffers()]
    inputs = [*feats, *(p for p in module.parameters() if p.requires_grad)]
    with untouched(module, rois.device):
        kept = line(lambda size: saved_bytes(fn, feats, repeat(rois, size), known), 4, 16)
        if not rois.is_cuda:
            return kept, kept
        cuda_peak(fn, feats, repeat(rois, 64), inputs)  # libraries allocate their workspace
        peak = line(lambda size: cuda_peak(fn, feats, repeat(rois, size), inputs), 16, 64)
    per_roi = max(peak.per_roi, kept.per_roi)
    return kept, Cost(per_roi, max(peak.fixed, kept.fixed))


def line(bytes_of: Callable[[int], float], few: int, many: int) -> Cost:
    """The line through the bytes of two numbers of rois, nowhere below zero."""
    small, large = bytes_of(few), bytes_of(many)
    per_roi = max((large - small) / (many - few), 0.0)
    return Cost(per_roi, max(small - per_roi * few, 0.0))


def repeat(rois: Tensor, size: int) -> Tensor:
    """The first ``size`` rows of rois repeated without end."""
    return rois.detach()[torch.arange(size, device=rois.device) % len(rois)]


def saved_bytes(
    fn: Callable, feats: tuple[Tensor, ...], rois: Tensor, known: Iterable[Tensor] = ()
) -> int:
    """Bytes of the storages that a forward pass keeps for the backward pass, less those ``known``.

    What :func:`torch.utils.checkpoint.checkpoint` computes again is not kept.
    """
    others = {tensor.untyped_storage().data_ptr() for tensor in known}
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in others:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # an output that its own graph saved would never be freed

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = fn(feats, rois)  # the graph behind it keeps the storages, and their addresses
    del output
    return sum(sizes.values())


def cuda_peak(fn: Callable, feats: tuple[Tensor, ...], rois: Tensor, inputs: list[Tensor]) -> int:
    """Bytes that a forward and a backward pass allocate at their peak."""
    torch.cuda.reset_peak_memory_stats(rois.device)
    start = torch.cuda.memory_allocated(rois.device)
    outputs = [
        leaf
        for leaf in tree_flatten(fn(feats, rois))[0]  # tree_leaves came with torch 2.2
        if isinstance(leaf, Tensor) and leaf.requires_grad
    ]
    ones = [torch.ones_like(output) for output in outputs]
    torch.autograd.grad(outputs, inputs, ones, allow_unused=True)
    return torch.cuda.max_memory_allocated(rois.device) - start


@contextmanager
def untouched(module: nn.Module, device: torch.device) -> Iterator[None]:
    """Gradients are enabled inside; afterwards buffers, tensors among the attributes and random
    states are as before."""
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    attributes = [
        (part, {key: value for key, value in vars(part).items() if isinstance(value, Tensor)})
        for part in module.modules()
    ]
    devices = [device] if device.type == 'cuda' else []
    try:
        with torch.random.fork_rng(devices), torch.enable_grad():
            yield
    finally:
        with torch.no_grad():
            for buffer, old in buffers:
                if not torch.equal(buffer, old):  # a write would spoil graphs that saved it
                    buffer.copy_(old)
        for part, tensors in attributes:
            vars(part).update(tensors)
