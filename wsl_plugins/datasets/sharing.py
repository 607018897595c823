"""Work that one process of each machine does for all."""

import mmap
import os
import pickle
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from mmengine import dist
from torch.utils.data import get_worker_info

BOOT_ID = Path('/proc/sys/kernel/random/boot_id')
ALIGNED = 64
"""Bytes; the parts of a shared file begin at multiples."""


def once_per_machine(make: Callable[[], Any]) -> Any:
    """What ``make`` gives, called by one process of each machine; the others share its arrays.

    The arrays of the result go to a temporary file (in ``TMPDIR``), which all processes of the
    machine map, read-only, and which then has no name any more; the rest is copied. Without
    processes that are joined by ``torch.distributed``, and in the workers of a data loader,
    ``make`` is simply called.

    All processes must call it, in the same order: it is a collective.

    Args:
        make: Takes nothing; its result can be pickled.

    Raises:
        Exception: What ``make`` raised in any process, in every process.
        OSError: There is no room for the temporary file, in every process.

    Example:
        >>> once_per_machine(lambda: dict(numbers=np.arange(3)))
        {'numbers': array([0, 1, 2])}
    """
    if dist.get_world_size() == 1 or get_worker_info() is not None:
        return make()
    leads = dist.all_gather_object(machine()).index(machine())
    path = None
    try:
        with _failing_together():
            if dist.get_rank() == leads:
                path = _write(make())
        path = dist.all_gather_object(path)[leads]
        with _failing_together():
            result = _read(path)
    finally:
        if path and dist.get_rank() == leads:
            os.unlink(path)
    return result


def machine() -> str:
    """The same text in all processes of a machine, and in no other."""
    boot = BOOT_ID.read_text().strip() if BOOT_ID.is_file() else ''
    return f'{socket.gethostname()} {boot}'


@contextmanager
def _failing_together() -> Iterator[None]:
    """An exception in one process is raised in all."""
    problem = None
    try:
        yield
    except Exception as error:
        problem = error
    for other in dist.all_gather_object(problem and _sendable(problem)):
        if other is not None:
            raise problem or other


def _sendable(problem: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(problem))
    except Exception:
        return RuntimeError(f'{type(problem).__name__}: {problem}')
    return problem


def _write(content: Any) -> str:
    """Path of a temporary file: number of parts, their sizes, the pickled content, its arrays."""
    arrays: list[pickle.PickleBuffer] = []
    parts = [memoryview(pickle.dumps(content, protocol=5, buffer_callback=arrays.append))]
    parts += [array.raw() for array in arrays]
    sizes = np.array([len(parts), *map(len, parts)], np.int64)
    number, path = tempfile.mkstemp(prefix='wsl_plugins-')
    try:
        with open(number, 'wb') as file:
            for part in (sizes.data, *parts):
                file.write(part)
                file.write(bytes(-part.nbytes % ALIGNED))
    except OSError as error:
        os.unlink(path)
        problem = f'{error.strerror}: {sizes[1:].sum() / 2**20:.0f} MiB to share (set TMPDIR)'
        raise OSError(error.errno, problem, path) from error
    return path


def _read(path: str) -> Any:
    """Content of such a file; its arrays stay there."""
    with open(path, 'rb') as file:
        view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    count = int(np.frombuffer(view, np.int64, 1)[0])
    parts, start = [], 0
    for size in [8 + 8 * count, *np.frombuffer(view, np.int64, count, 8).tolist()]:
        parts.append(view[start : start + size])
        start += size + -size % ALIGNED
    return pickle.loads(parts[1], buffers=parts[2:])
