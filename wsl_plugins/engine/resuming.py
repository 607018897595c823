"""Which checkpoint a training that was stopped goes on from, and how far it is."""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import IterBasedTrainLoop, Runner

PATTERNS = ('epoch_*.pth', 'iter_*.pth')


def latest_complete_checkpoint(folder: str | os.PathLike) -> tuple[str | None, list[str]]:
    """Newest checkpoint of a work folder that was written to its end.

    mmengine writes a checkpoint in place and notes its path in ``last_checkpoint`` afterwards, so
    a process that is killed, or a disk that is full, leaves the start of a file. The one noted
    comes first; if it is damaged or gone, those beside it follow, the youngest file first.

    Args:
        folder (str | os.PathLike): Work folder of the training.

    Returns:
        tuple[str | None, list[str]]: Path of the checkpoint, None without any; and one line for
            each that was passed over, with the reason.

    Example:
        >>> latest_complete_checkpoint('work_dirs/killed_in_epoch_4')
        ('work_dirs/killed_in_epoch_4/epoch_2.pth',
         ['work_dirs/killed_in_epoch_4/epoch_3.pth: damaged: File is not a zip file'])
    """
    folder = Path(folder)
    note = folder / 'last_checkpoint'
    noted = note.read_text().strip() if note.is_file() else ''
    if '://' in noted:
        return noted, []  # on another machine: mmengine's storage backends read it
    others = [path for pattern in PATTERNS for path in folder.glob(pattern)]
    if noted:
        first = Path(noted)
        if not first.exists() and (folder / first.name).exists():
            first = folder / first.name  # the folder was moved
        others += [path for pattern in PATTERNS for path in first.parent.glob(pattern)]
    others = sorted(set(others), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    candidates = [first, *(p for p in others if p != first)] if noted else others
    passed: list[str] = []
    for path in candidates:
        problem = what_is_damaged(path)
        if problem is None:
            return str(path), passed
        passed.append(f'{path}: {problem}')
    return None, passed


def what_is_damaged(path: str | os.PathLike) -> str | None:
    """What is wrong with a file of ``torch.save``, by its check sums; None if it is complete.

    A folder (DeepSpeed, FSDP) counts as complete.
    """
    path = Path(path)
    if path.is_dir():
        return None
    if not path.is_file():
        return 'no such file'
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError) as error:
        return f'damaged: {error}'
    return broken and f'damaged: check sum of {broken}'


def lacks_of_training(checkpoint: Mapping[str, Any], schedules: bool) -> list[str]:
    """What mmengine needs to resume a training and a checkpoint does not have.

    Args:
        checkpoint (Mapping): Content of the file.
        schedules (bool): Whether the training has parameter schedulers.

    Example:
        >>> lacks_of_training(dict(state_dict={}, meta=dict(epoch=3, iter=60)), schedules=False)
        ['optimizer', 'message_hub']
    """
    meta = checkpoint.get('meta')
    meta = meta if isinstance(meta, Mapping) else {}
    lacks = [f'meta.{key}' for key in ('epoch', 'iter') if not isinstance(meta.get(key), int)]
    entries = ['optimizer', 'message_hub', *(['param_schedulers'] if schedules else [])]
    return [*lacks, *(key for key in entries if key not in checkpoint)]


def other_optimizer(optim_wrapper: OptimWrapper | OptimWrapperDict, state: Mapping) -> str | None:
    """Why an optimiser cannot take a state: other groups of parameters; None if it can.

    Args:
        optim_wrapper (OptimWrapper | OptimWrapperDict): Of the training.
        state (Mapping): The entry ``optimizer`` of a checkpoint.

    Example:
        >>> wrapper = OptimWrapper(torch.optim.SGD([torch.zeros(2, requires_grad=True)], lr=0.1))
        >>> other_optimizer(wrapper, dict(param_groups=[dict(params=[0, 1])]))
        'group 0 has 2 parameters, the training has 1'
    """
    if isinstance(optim_wrapper, OptimWrapperDict):
        parts = {name: optim_wrapper[name] for name in optim_wrapper}
        if set(parts) != set(state):
            return f'it has the optimisers {sorted(state)}, the training has {sorted(parts)}'
        found = {name: other_optimizer(part, state[name]) for name, part in parts.items()}
        return next((f'{name}: {text}' for name, text in found.items() if text), None)
    groups = state.get('param_groups') if isinstance(state, Mapping) else None
    if not isinstance(groups, list):
        return 'it has no groups of parameters'
    own = [len(group['params']) for group in optim_wrapper.optimizer.param_groups]
    saved = [len(group['params']) for group in groups]
    if len(own) != len(saved):
        return f'it has {len(saved)} groups of parameters, the training has {len(own)}'
    differ = [
        number for number, pair in enumerate(zip(saved, own, strict=True)) if len({*pair}) > 1
    ]
    if not differ:
        return None
    first = differ[0]
    return f'group {first} has {saved[first]} parameters, the training has {own[first]}'


def progress(runner: Runner) -> tuple[str, int, int]:
    """How far a training is.

    Returns:
        tuple[str, int, int]: What it counts, 'epoch' or (in a loop by iterations) 'iteration';
            how many are done, and how many there are to do.
    """
    loop = runner.train_loop
    if isinstance(loop, IterBasedTrainLoop):
        return 'iteration', loop.iter, loop.max_iters
    return 'epoch', loop.epoch, loop.max_epochs
