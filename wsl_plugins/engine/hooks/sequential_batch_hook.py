"""Hook that runs the per-proposal part of a detector in sub-batches."""

import inspect

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from wsl_plugins.engine.memory_probe import SUB_BATCH_SIZE
from wsl_plugins.engine.sub_batched import SubBatched
from wsl_plugins.models.roi_heads import WSODRoIHead
from wsl_plugins.registry import HOOKS

from mmdet.models.roi_heads import CascadeRoIHead, StandardRoIHead

TARGETS = {
    WSODRoIHead: 'roi_features',
    StandardRoIHead: '_bbox_forward',
    CascadeRoIHead: '_bbox_forward',
}


@HOOKS.register_module()
class SequentialBatchHook(Hook):
    """Trains and tests on all proposals with the activations of as many as fit in memory.

    Section 4.3 of `MIST <https://arxiv.org/abs/2004.04725>`_ for any detector with RoI features:
    see :func:`wsl_plugins.engine.sequential.sequential_roi_forward` for what is exact and what is
    computed twice. The model keeps its modules, parameters and checkpoints. ``before_run`` (of
    training, validation and testing) replaces the method, ``after_run`` puts it back; a run that
    raises leaves it in place, which changes no result, and the next run with this hook replaces it.
    A detector that calls the method several times per step, as a cascade does, keeps activations
    of each call; the stages of mmdet's cascade share the budget. mmengine's ``compile`` is refused:
    it compiles the backward pass of mmcv's operators, which reads what is computed again twice. A
    compiled forward pass alone runs the method as it is, uncompiled.

    Args:
        sub_batch_size: rois per sub-batch; one of them keeps its activations. Default 500.
            ``'auto'``: 500, or fewer if they do not fit the budget, and as many rois keep their
            activations as fit it, measured at the first input and logged; without a budget on
            other devices than CUDA the same as 500.
        target: method to run in sub-batches, as a path from the detector, e.g.
            ``'roi_head.my_method'``; its arguments are (feats, rois) or (stage, feats, rois).
            Default: ``roi_features`` of :class:`wsl_plugins.WSODRoIHead`, ``_bbox_forward`` of
            mmdet's ``StandardRoIHead`` and ``CascadeRoIHead`` (and of their subclasses, with the
            same arguments). Of the latter two, ``bbox_feats`` is kept for a mask head that shares
            the extractor only.
        memory_budget: bytes that the activations may take with ``'auto'``, without the vectors of
            all proposals. Default: half of the memory of the CUDA device that is free when the
            first proposals come; gradients, optimiser and larger images take the rest. On a CPU it
            counts what is kept for the backward pass, on CUDA also what a sub-batch needs while it
            is computed.

    Raises:
        ValueError: an option outside its range; before the run: no such method, or one with other
            arguments; ``compile`` in the config of a training; in a forward pass: a layer
            that cannot be split, see :func:`wsl_plugins.engine.sequential.check_chunkable`, or a
            budget below the need of one roi.

    Example:
        >>> custom_hooks = [dict(type='wsl_plugins.SequentialBatchHook', sub_batch_size='auto')]
    """

    def __init__(
        self,
        sub_batch_size: int | str = SUB_BATCH_SIZE,
        target: str | None = None,
        memory_budget: int | None = None,
    ) -> None:
        if sub_batch_size != 'auto' and not _is_positive(sub_batch_size):
            raise ValueError(
                f"sub_batch_size must be an int of at least 1 or 'auto', got {sub_batch_size!r}"
            )
        if memory_budget is not None:
            if sub_batch_size != 'auto':
                raise ValueError("memory_budget needs sub_batch_size='auto'")
            if not _is_positive(memory_budget):
                raise ValueError(
                    f'memory_budget must be a number of bytes, an int of at least 1, got '
                    f'{memory_budget!r}'
                )
        self.sub_batch_size = sub_batch_size
        self.target = target
        self.memory_budget = memory_budget
        self.method: SubBatched | None = None

    def before_run(self, runner: Runner) -> None:
        """Replace the method of the runner's model; one line in the log says how."""
        method = self.attach(runner.model)
        size = method.sub_batch_size
        how = 'chosen at the first input' if size == 'auto' else f'of {size} rois'
        print_log(
            f'SequentialBatchHook: {type(method.owner).__name__}.{method.name} runs in '
            f'sub-batches {how}',
            logger='current',
        )

    def before_train(self, runner: Runner) -> None:
        """Refuse mmengine's ``compile``."""
        if runner.cfg.get('compile') not in (None, False):
            self.detach()
            raise ValueError(
                f'compile={runner.cfg.compile!r}: SequentialBatchHook cannot train with a compiled '
                'train_step; remove compile from the config, or the hook from custom_hooks'
            )

    def after_run(self, runner: Runner) -> None:
        """Put the method back."""
        self.detach()

    def attach(self, model: nn.Module) -> SubBatched:
        """Replace the method of ``model``, a detector or a wrapper around it."""
        self.detach()
        while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
            model = model.get_submodule('module')
        size = self.sub_batch_size
        if size == 'auto' and self.memory_budget is None and not next(model.parameters()).is_cuda:
            size = SUB_BATCH_SIZE
        path = self.target or _default_target(model)
        owner, name = _find(model, path)
        left_over = getattr(owner, name, None)
        if isinstance(left_over, SubBatched):  # of a run that raised
            left_over.remove()
        _check_method(owner, name, path)
        discard = ()
        if self.target is None and name == '_bbox_forward':
            shared = owner.with_mask and owner.share_roi_extractor
            discard = () if shared else ('bbox_feats',)
        place = path.rpartition('.')[0]
        self.method = SubBatched(owner, name, place, size, self.memory_budget, discard)
        return self.method

    def detach(self) -> None:
        """Put the method back, if it was replaced."""
        if self.method is not None:
            self.method.remove()
            self.method = None


def _is_positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _default_target(detector: nn.Module) -> str:
    roi_head = getattr(detector, 'roi_head', None)
    for kind, name in TARGETS.items():
        if isinstance(roi_head, kind):
            return f'roi_head.{name}'
    found = 'no roi_head' if roi_head is None else f'a roi_head of type {type(roi_head).__name__}'
    known = ', '.join(f'{kind.__name__} ({name})' for kind, name in TARGETS.items())
    raise ValueError(
        f'{type(detector).__name__} has {found}; SequentialBatchHook knows {known}. Name the '
        "method with target='roi_head.my_method'; its arguments are (feats, rois) or "
        '(stage, feats, rois)'
    )


def _find(detector: nn.Module, path: str) -> tuple[nn.Module, str]:
    """Module that has the method, and the method's name."""
    owner_path, _, name = path.rpartition('.')
    try:
        owner = detector.get_submodule(owner_path)
    except AttributeError as error:
        raise ValueError(f'target {path!r}: {error}') from error
    return owner, name


def _check_method(owner: nn.Module, name: str, path: str) -> None:
    method = getattr(owner, name, None)
    if not inspect.ismethod(method) or method.__self__ is not owner:
        raise ValueError(f'target {path!r}: {type(owner).__name__} has no method {name!r}')
    parameters = list(inspect.signature(method).parameters.values())
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if len(parameters) not in (2, 3) or any(p.kind not in positional for p in parameters):
        raise ValueError(
            f'target {path!r}: {type(owner).__name__}.{name} takes '
            f'({", ".join(map(str, parameters))}), a method that runs in sub-batches takes '
            '(feats, rois) or (stage, feats, rois)'
        )
