"""Sequential batch back-propagation: the per-proposal part of a detector, slice by slice."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm, _InstanceNorm
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.utils.checkpoint import checkpoint

from wsl_plugins.models.layers import DropLayer

import mmdet.models.layers as mmdet_layers
from mmcv.ops import SyncBatchNorm


@torch.compiler.disable
def sequential_roi_forward(
    fn: Callable[[tuple[Tensor, ...], Tensor], Any],
    feats: tuple[Tensor, ...],
    rois: Tensor,
    sub_batch_size: int,
    paths: Mapping[nn.Module, str] | None = None,
    kept: int | None = None,
) -> Any:
    """``fn(feats, rois)``, slice by slice, with the activations of ``kept`` rois in memory.

    Section 4.3 of `MIST <https://arxiv.org/abs/2004.04725>`_. With gradients enabled the slices of
    the last ``kept`` rois keep their activations for the backward pass, those before them nothing:
    their activations are computed again (with the same random numbers and the same autocast) when
    their gradient arrives. The last slices are the first to receive their gradients and have let go
    of their activations by then, so that the peak is the larger of both: ``kept`` rois, or one
    slice. Outputs and gradients are those of one call, up to rounding (under autocast that of its
    type, in which the gradients of the slices add up); random layers draw other numbers than one
    call would.

    ``fn`` has to treat each roi by itself, and runs twice for the slices that keep nothing: what it
    writes elsewhere is written twice.

    Args:
        fn: gives a tensor with one row per roi, or a tuple, list or dict of such; None stays None.
        feats: feature maps, passed on to ``fn``.
        rois: (R, 5), image index and xyxy. With R = 0 ``fn`` is called once.
        sub_batch_size: rois per slice, at least 1. The first slice of either kind may be shorter.
        paths: names of modules for error messages. Default: their class.
        kept: rois that keep their activations, at least 0; from R on nothing is computed twice.
            Default: ``sub_batch_size``.

    Raises:
        ValueError: ``sub_batch_size`` below 1 or ``kept`` below 0; an output that has not one row
            per roi; a layer refused by :func:`check_chunkable`.
        TypeError: an output that is something else.

    Example:
        >>> layer = torch.nn.Linear(5, 2)
        >>> sequential_roi_forward(lambda feats, rois: layer(rois), (), torch.rand(7, 5), 3).shape
        torch.Size([7, 2])
    """
    if sub_batch_size < 1:
        raise ValueError(f'sub_batch_size must be at least 1, got {sub_batch_size}')
    kept = sub_batch_size if kept is None else kept
    if kept < 0:
        raise ValueError(f'kept must be at least 0, got {kept}')

    @torch.compiler.disable  # also when a compiled caller's backward pass computes it again
    def run(feats: tuple[Tensor, ...], part: Tensor) -> Any:
        return fn(feats, part)

    count_again = max(len(rois) - kept, 0)
    again = slice_sizes(count_again, sub_batch_size)
    sizes = again + slice_sizes(len(rois) - count_again, sub_batch_size) or [0]
    outputs = []
    for index, part in enumerate(rois.split(sizes)):
        with called_modules(enabled=index == 0) as called:
            if index < len(again):  # without gradients this is a plain call
                output = checkpoint(run, feats, part, use_reentrant=False)
            else:
                output = run(feats, part)
        check_chunkable(called, paths)
        check_rows(output, len(part))
        outputs.append(output)
    return outputs[0] if len(outputs) == 1 else concatenate(outputs)


def slice_sizes(count: int, size: int) -> list[int]:
    """Sizes of the slices of ``count`` rois: the remainder, if there is one, then all of ``size``.

    Example:
        >>> slice_sizes(7, 3)
        [1, 3, 3]
    """
    full, rest = divmod(count, size)
    return ([rest] if rest else []) + [size] * full


@contextmanager
def called_modules(enabled: bool = True) -> Iterator[list[nn.Module]]:
    """Modules whose forward runs inside, in order; an empty list if not ``enabled``."""
    called: list[nn.Module] = []
    if not enabled:
        yield called
        return
    handle = register_module_forward_pre_hook(lambda module, args: called.append(module))
    try:
        yield called
    finally:
        handle.remove()


def check_chunkable(
    modules: Iterable[nn.Module], paths: Mapping[nn.Module, str] | None = None
) -> None:
    """Refuse layers whose output for one roi depends on the other rois of the call.

    These are batch normalisation with batch statistics (also synchronised over processes), instance
    normalisation that trains running statistics, :class:`wsl_plugins.models.layers.DropLayer` with
    ``rescale='batch'`` and mmdet's ``DropBlock`` (one scale for all maps), each in training mode.

    Args:
        modules: the modules that run on slices.
        paths: their names in the message. Default: their class.

    Raises:
        ValueError: names all such layers and what to do.

    Example:
        >>> check_chunkable(torch.nn.BatchNorm2d(4).eval().modules())
    """
    mixing = dict.fromkeys(module for module in modules if _mixes_rois(module))
    if mixing:
        names = [(paths or {}).get(module, type(module).__name__) for module in mixing]
        kinds = sorted({type(module).__name__ for module in mixing})
        raise ValueError(
            f'these layers ({", ".join(kinds)}) mix the rois of one call and cannot run in '
            f'sub-batches: {", ".join(names)}. Freeze the statistics (norm_eval=True, or '
            "requires_grad=False and eval mode), use GroupNorm instead (norm_cfg=dict(type='GN', "
            "num_groups=32)), or rescale='roi' in a drop layer. SyncBN is no cure: it shares "
            'statistics between processes, not between sub-batches'
        )


def _mixes_rois(module: nn.Module) -> bool:
    if isinstance(module, _InstanceNorm):
        return module.training and module.track_running_stats
    if isinstance(module, _BatchNorm):
        return module.training or module.running_mean is None
    if isinstance(module, DropLayer):
        return module.training and module.rescale == 'batch'
    return module.training and isinstance(module, (SyncBatchNorm, mmdet_layers.DropBlock))


def check_rows(output: Any, rows: int, name: str = 'output') -> None:
    """Raise unless every tensor of ``output`` has ``rows`` rows."""
    if isinstance(output, Tensor):
        if output.dim() == 0 or len(output) != rows:
            raise ValueError(
                f'{name} has shape {tuple(output.shape)} for {rows} rois: only what has one row '
                'per roi can run in sub-batches'
            )
    elif isinstance(output, Mapping):
        for key, value in output.items():
            check_rows(value, rows, f'{name}[{key!r}]')
    elif isinstance(output, (tuple, list)):
        for index, value in enumerate(output):
            check_rows(value, rows, f'{name}[{index}]')
    elif output is not None:
        raise TypeError(
            f'{name} is a {type(output).__name__}: a function that runs in sub-batches gives '
            'tensors with one row per roi, None, or a tuple, list or dict of these'
        )


def concatenate(parts: list[Any]) -> Any:
    """Join outputs of the same structure (see :func:`check_rows`) along their rows."""
    first = parts[0]
    if first is None:
        return None
    if isinstance(first, Tensor):
        return torch.cat(parts)
    if isinstance(first, Mapping):
        return {key: concatenate([part[key] for part in parts]) for key in first}
    return type(first)(concatenate(list(column)) for column in zip(*parts, strict=True))
