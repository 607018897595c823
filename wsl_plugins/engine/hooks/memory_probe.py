"""The largest sub-batch that fits into memory, from a measurement."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

SIZES = (16, 64)  # rois of the two measurements


def largest_sub_batch(
    fn: Callable[[tuple[Tensor, ...], Tensor], Any],
    feats: tuple[Tensor, ...],
    rois: Tensor,
    module: nn.Module,
    budget: int,
) -> int:
    """How many rois ``fn(feats, rois)`` can take, so that their activations fit the budget.

    ``fn`` is measured at 16 and at 64 rois, and the line through both is solved for the budget. On
    CUDA the measure is the allocator's peak of a forward and a backward pass (its peak statistics
    start anew), elsewhere the bytes that the forward pass keeps for the backward pass. Random
    numbers, gradients, buffers and the tensors among the attributes of ``module`` stay as they
    were.

    Args:
        fn: treats each roi by itself.
        feats: feature maps.
        rois: (R, 5) with R of at least 1; repeated or cut to the number measured.
        module: holds the parameters and buffers that ``fn`` uses.
        budget: bytes.

    Raises:
        ValueError: the budget is below the need of one roi.
    """
    inputs = [p for p in module.parameters() if p.requires_grad]
    feats = tuple(feat.detach().requires_grad_() for feat in feats)
    measure = cuda_peak if rois.is_cuda else saved_bytes
    with untouched(module, rois.device):
        small, large = (
            # once before it counts: libraries allocate their workspace at first use
            [measure(fn, feats, repeat(rois, size), inputs) for _ in range(2)][1]
            for size in SIZES
        )
    per_roi = max((large - small) / (SIZES[1] - SIZES[0]), 1.0)
    fixed = max(small - per_roi * SIZES[0], 0.0)
    size = int((budget - fixed) / per_roi)
    if size < 1:
        raise ValueError(
            f'a memory budget of {budget} bytes is below the need of one roi, '
            f'{int(fixed + per_roi) + 1} bytes'
        )
    print_log(
        f"sub_batch_size='auto': {size} rois ({per_roi / 2**20:.3g} MiB per roi and "
        f'{fixed / 2**20:.3g} MiB besides, in {budget / 2**20:.4g} MiB)',
        logger='current',
    )
    return size


def repeat(rois: Tensor, size: int) -> Tensor:
    """The first ``size`` rows of rois repeated without end."""
    return rois.detach()[torch.arange(size, device=rois.device) % len(rois)]


def saved_bytes(fn: Callable, feats: tuple[Tensor, ...], rois: Tensor, inputs: list[Tensor]) -> int:
    """Bytes that a forward pass keeps for the backward pass, without parameters and features."""
    known = {tensor.untyped_storage().data_ptr() for tensor in (*inputs, *feats)}
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

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
        for leaf in tree_leaves(fn(feats, rois))
        if isinstance(leaf, Tensor) and leaf.requires_grad
    ]
    ones = [torch.ones_like(output) for output in outputs]
    torch.autograd.grad(outputs, [*feats, *inputs], ones, allow_unused=True)
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
